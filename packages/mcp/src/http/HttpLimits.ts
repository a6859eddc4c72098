/**
 * How much of a server's behaviour one request puts up with: the size of an answer, the silence of a stream, how often
 * and how late a request is sent again.
 *
 * A reference, read when a connection opens: a runtime provides other limits with its layer, a test shorter ones.
 */
import * as Context from "effect/Context"

export interface HttpLimits {
  /**
   * Bytes of one answer, after decompression: of a body that is read as a whole, of one event of an event stream.
   * Default: 64 MiB.
   */
  readonly answer: number
  /**
   * Milliseconds without a byte until a stream that no call waits for, or one that was resumed, is taken for dead; 0
   * lets it be silent for ever. Default: 5 minutes.
   */
  readonly silence: number
  /** How often a request that may be repeated is sent after the first time. Default: 2. */
  readonly retries: number
  /** Milliseconds before the first repetition where the server names no time; doubles with each. Default: 500. */
  readonly backOff: number
  /** The most milliseconds that a server may ask to be left alone and still be asked again. Default: 60,000. */
  readonly retryAfter: number
}

/** What holds where nothing else is provided. */
export const DEFAULTS = {
  answer: 64 * 1024 * 1024,
  silence: 5 * 60_000,
  retries: 2,
  backOff: 500,
  retryAfter: 60_000
} satisfies HttpLimits

export const HttpLimits: Context.Reference<HttpLimits> = Context.Reference<HttpLimits>(
  "@letterhead/mcp/http/HttpLimits",
  {
    defaultValue: () => DEFAULTS
  }
)
