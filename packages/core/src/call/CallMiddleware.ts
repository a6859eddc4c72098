/**
 * Makes the calls of an `effect/http` server the calls of whoever sent the request.
 *
 * Each request runs with a call context of its own: the principal and the session that the runtime's functions say,
 * and the incoming headers that are listed. Nothing of an outer context or of another request is kept, and what is not
 * listed is not captured. A function that fails fails the request before its handler runs.
 */
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type { ServerEntry } from "../server/ServerEntry.ts"
import { type CallContext, CurrentCall, fromRequest } from "./CallContext.ts"
import { foldIncoming } from "./IncomingHeaders.ts"

export interface CallMiddlewareOptions<E = never, R = never> {
  /** Names of incoming headers to capture; see {@link listedBy}. */
  readonly allowlist: ReadonlyArray<string>
  /** Who sent the request, as the runtime knows after it checked: never a header that was merely believed. */
  readonly principal: (request: HttpServerRequest) => Effect.Effect<string, E, R>
  /** The conversation it belongs to. Default: none. */
  readonly session?: (request: HttpServerRequest) => Effect.Effect<string | undefined, E, R>
}

/** Middleware for `HttpRouter.middleware`, `HttpRouter.serve` and `HttpServer.serve`. */
export const make =
  <E = never, R = never>(options: CallMiddlewareOptions<E, R>) =>
  <E2, R2>(
    app: Effect.Effect<HttpServerResponse, E2, R2>
  ): Effect.Effect<HttpServerResponse, E | E2, R | R2 | HttpServerRequest> =>
    Effect.flatMap(HttpServerRequest, (request) =>
      Effect.flatMap(contextOf(options, request), (call) => Effect.provideService(app, CurrentCall, call))
    )

/** The incoming names that any of `entries` lets through, or exchanges: what there is to capture for them. */
export const listedBy = (entries: Iterable<ServerEntry>): ReadonlyArray<string> => [
  ...new Set(
    [...entries].flatMap(({ oauth, passthrough }) => [
      ...passthrough.map((header) => foldIncoming(header.name)),
      ...(oauth?.exchange === undefined ? [] : ["authorization"])
    ])
  )
]

const contextOf = Effect.fnUntraced(function* <E, R>(
  options: CallMiddlewareOptions<E, R>,
  request: HttpServerRequest
): Effect.fn.Return<CallContext, E, R> {
  const principal = yield* options.principal(request)
  const sessionId = options.session === undefined ? undefined : yield* options.session(request)
  return {
    principal,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...fromRequest(options.allowlist)(request)
  }
})
