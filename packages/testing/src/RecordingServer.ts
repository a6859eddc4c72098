/**
 * A plain HTTP server that answers everything with the same status and records what it got.
 *
 * The target of a redirect, an authorization server that must not see a header: whatever reaches it is in `requests`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as LoopbackListener from "./LoopbackListener.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import { RequestLog } from "./RequestLog.ts"

export interface RecordingServer {
  /** `http://127.0.0.1:PORT/`. */
  readonly url: string
  /** Every request, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly clear: Effect.Effect<void>
}

export interface RecordingServerOptions {
  /** Default 200. */
  readonly status?: number
  /** Default: `content-type: application/json`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default `{}`. */
  readonly body?: string
}

/** Listens until the scope closes. */
export const make = (options: RecordingServerOptions = {}): Effect.Effect<RecordingServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const log = new RequestLog()
    const origin = yield* LoopbackListener.listen((request, response, body) => {
      log.add(request, response, body)
      response.writeHead(options.status ?? 200, options.headers ?? { "content-type": "application/json" })
      response.end(options.body ?? "{}")
    })
    return {
      url: `${origin}/`,
      requests: Effect.sync(() => log.list()),
      clear: Effect.sync(() => log.clear())
    }
  })
