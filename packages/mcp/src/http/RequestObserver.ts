/** Told of each request just before it is written; for a demo, an audit, a test. */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as Context from "effect/Context"

/** One HTTP request as it is written. Values stay redacted. */
export interface SentRequest {
  readonly server: string
  readonly httpMethod: string
  readonly call: CallContext
  readonly headers: ResolvedHeaders
  /** 1, and one more each time it is sent again: with a renewed credential or another proof, or where it may be repeated. */
  readonly attempt: number
}

/**
 * Told of each request just before it is written. Default: nobody is.
 *
 * The observer of the fiber that makes the call is told, else the one the layer was built with; what it throws is
 * ignored.
 */
export const RequestObserver: Context.Reference<(request: SentRequest) => void> = Context.Reference<
  (request: SentRequest) => void
>("@letterhead/mcp/http/RequestObserver", { defaultValue: () => nobody })

/** The observer that is told nothing. */
export const nobody = (): void => {}
