/**
 * The body of an answer on its way from the socket to whoever reads it: as a whole, or as a web stream.
 *
 * Until somebody reads, a little is kept and the socket is then left alone; a body that is read as a whole goes through
 * no stream. What is read is bounded: a whole body by its bytes, an event stream by those of one event.
 */
import { ReadableStream, type ReadableStreamDefaultController } from "node:stream/web"
import { ConnectionClosed, ProtocolFailed } from "../McpError.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

/** Bytes that are kept for a reader who has not come yet, or is slower than the server. */
const HIGH_WATER = 64 * 1024

/** What the bytes come from. */
export interface Source {
  resume(): void
  /** Ends it: the socket is closed, and nothing more comes. */
  abort(reason: unknown): void
}

export interface ResponseBodyOptions {
  /** Bytes of the whole, or of one event. */
  readonly limit: number
  /** Whether the bytes are those of an event stream. */
  readonly events: boolean
  /** Told once where the limit is exceeded. */
  readonly onExceeded?: ((failure: RequestFailure) => void) | undefined
}

interface Collector {
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: unknown) => void
}

export class ResponseBody {
  readonly #source: Source
  readonly #options: ResponseBodyOptions
  #chunks: Array<Buffer> = []
  /** Bytes of the whole, or of the event that has begun. */
  #size = 0
  #state: "open" | "ended" | "failed" = "open"
  #error: unknown
  #collector: Collector | undefined
  #reader: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(source: Source, options: ResponseBodyOptions) {
    this.#source = source
    this.#options = options
  }

  /** Takes bytes; `false` asks the source to pause. */
  push(chunk: Buffer): boolean {
    if (this.#state !== "open") return true
    this.#size = this.#options.events ? eventSize(this.#size, chunk) : this.#size + chunk.byteLength
    if (this.#size > this.#options.limit) {
      this.#exceed()
      return true
    }
    if (this.#reader !== undefined) {
      this.#reader.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      return (this.#reader.desiredSize ?? 0) > 0
    }
    this.#chunks.push(chunk)
    return this.#collector !== undefined || this.#size < HIGH_WATER
  }

  /** The server said all. */
  end(): void {
    if (this.#state !== "open") return
    this.#state = "ended"
    this.#collector?.resolve(this.#take())
    this.#reader?.close()
  }

  /** It breaks off. */
  fail(error: unknown): void {
    if (this.#state !== "open") return
    this.#state = "failed"
    this.#error = error
    this.#chunks = []
    this.#collector?.reject(error)
    this.#reader?.error(error)
  }

  /** Puts bytes before all others; nobody may have read any. */
  begin(chunk: Buffer): void {
    if (this.#state !== "failed") this.#chunks.unshift(chunk)
  }

  /** The whole body. Read once: as a whole or as a stream. */
  collect(): Promise<Buffer> {
    if (this.#state === "failed") return Promise.reject(this.#error)
    if (this.#state === "ended") return Promise.resolve(this.#take())
    return new Promise<Buffer>((resolve, reject) => {
      this.#collector = { resolve, reject }
      this.#source.resume()
    })
  }

  /** The body as a stream; to cancel it closes the socket. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (this.#state === "failed") return controller.error(this.#error)
          for (const chunk of this.#chunks) {
            controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
          }
          this.#chunks = []
          if (this.#state === "ended") return controller.close()
          this.#reader = controller
        },
        pull: () => this.#source.resume(),
        cancel: (reason) => this.cancel(reason)
      },
      { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 }
    )
  }

  /** Gives up what is left. */
  cancel(reason?: unknown): void {
    if (this.#state !== "open") return
    this.#state = "ended"
    this.#chunks = []
    this.#source.abort(reason ?? new ConnectionClosed({ description: "nobody reads the answer" }))
  }

  #take(): Buffer {
    const [first, ...others] = this.#chunks
    this.#chunks = []
    return first === undefined ? Buffer.alloc(0) : others.length === 0 ? first : Buffer.concat([first, ...others])
  }

  #exceed(): void {
    const what = this.#options.events ? "an event of the server's stream" : "the server's answer"
    const failure = new RequestFailure(
      new ProtocolFailed({
        code: undefined,
        description: `${what} has more than ${this.#options.limit} bytes; HttpLimits says how many it may have`
      })
    )
    this.#options.onExceeded?.(failure)
    this.fail(failure)
    this.#source.abort(failure)
  }
}

/** Bytes of the event that has begun, after these: an empty line ends one. */
const eventSize = (before: number, chunk: Buffer): number => {
  const end = Math.max(chunk.lastIndexOf("\n\n"), chunk.lastIndexOf("\r\r"), chunk.lastIndexOf("\n\r\n"))
  return end === -1 ? before + chunk.byteLength : chunk.byteLength - end
}
