/** The fetch of a connection without an SDK around it: what a test sends, and as whom. */
import { type Environment, Environment as CurrentEnvironment } from "@letterhead/core/server/Environment"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import { Call } from "@letterhead/mcp/call/Call"
import { CallCorrelation } from "@letterhead/mcp/call/CallCorrelation"
import * as HttpDispatcher from "@letterhead/mcp/http/HttpDispatcher"
import { DEFAULTS, HttpLimits } from "@letterhead/mcp/http/HttpLimits"
import type { McpErrorReason } from "@letterhead/mcp/McpError"
import * as RequestFailure from "@letterhead/mcp/failure/RequestFailure"
import { RequestHeaders, type RequestHeadersOptions } from "@letterhead/mcp/http/RequestHeaders"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { resolvedOf } from "./Resolver.ts"

export interface RequestsOptions {
  readonly url: string
  readonly limits?: Partial<HttpLimits>
  readonly environment?: Environment
  readonly authorities?: string
  readonly paths?: RequestHeadersOptions["paths"]
  readonly headers?: Partial<ConnectionHeaders>
}

export interface Requests {
  readonly fetch: RequestHeaders["fetch"]
  readonly fetchFor: RequestHeaders["fetchFor"]
  readonly owner: Call
  readonly correlation: CallCorrelation
  /** What was asked of the resolver. */
  readonly asked: { resolve: number; challenge: number }
  /** Sends a request of a session's call; its answer, or the reason that there is none. */
  readonly send: (
    method: string,
    options?: {
      readonly call?: Call
      readonly signal?: AbortSignal
      readonly http?: "POST" | "GET" | "DELETE" | "HEAD"
      readonly lastEventId?: string
      /** Without an id. */
      readonly notification?: boolean
    }
  ) => Effect.Effect<Response, McpErrorReason>
  /** A call of a session. */
  readonly call: (sessionId: string, settings?: { readonly idempotent?: boolean }) => Call
}

/** A value that must show up nowhere but on the wire. */
export const CANARY = "canary-value"

export const make = Effect.fnUntraced(function* (
  options: RequestsOptions
): Effect.fn.Return<Requests, HttpDispatcher.AcquireFailure, Scope.Scope> {
  const dispatcher = yield* HttpDispatcher.acquire.pipe(
    Effect.provideService(CurrentEnvironment, options.environment ?? {}),
    Effect.provideService(HttpDispatcher.CertificateAuthorities, options.authorities)
  )
  const services = Context.merge(
    yield* Effect.context(),
    Context.make(HttpLimits, { ...DEFAULTS, backOff: 10, ...options.limits })
  )
  const owner = new Call({ principal: "ada" }, services)
  const correlation = new CallCorrelation()
  const asked = { resolve: 0, challenge: 0 }
  const requestHeaders = new RequestHeaders({
    server: "example",
    owner,
    correlation,
    dispatcher,
    ...(options.paths === undefined ? {} : { paths: options.paths }),
    headers: {
      url: new URL(options.url),
      resolve: (call) => {
        asked.resolve += 1
        return Effect.succeed(
          resolvedOf({ "x-session": call.sessionId ?? "connection", "x-key": CANARY, "x-time": String(asked.resolve) })
        )
      },
      challenge: () => {
        asked.challenge += 1
        return Effect.succeed("give up" as const)
      },
      refusedAgain: () => Effect.void,
      reconnect: Effect.void,
      signIn: () => Effect.succeed(false),
      ...options.headers
    }
  })
  const call = (sessionId: string, settings?: { readonly idempotent?: boolean }) =>
    new Call({ principal: "ada", sessionId }, services, settings)
  let nextId = 0
  return {
    fetch: requestHeaders.fetch,
    fetchFor: (call) => requestHeaders.fetchFor(call),
    owner,
    correlation,
    asked,
    call,
    send: (method, { call: from = call("one"), http = "POST", lastEventId, notification = false, signal } = {}) =>
      Effect.tryPromise({
        try: async () => {
          const id = nextId++
          const common = { method: http, ...(signal === undefined ? {} : { signal }) }
          if (http !== "POST") {
            const headers: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
            return requestHeaders.fetch(options.url, { ...common, headers })
          }
          if (!notification) correlation.open(id, from)
          const body = JSON.stringify({ method, params: {}, jsonrpc: "2.0", ...(notification ? {} : { id }) })
          const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
          try {
            return await requestHeaders.fetch(options.url, { ...common, headers, body })
          } finally {
            correlation.close(id)
          }
        },
        catch: reasonOf
      })
  }
})

/** The reason within an error; one that is none of ours is a defect of the test. */
export const reasonOf = (error: unknown): McpErrorReason => {
  const reason = RequestFailure.find(error)
  if (reason === undefined) throw error
  return reason
}

/** Reads a body to its end, or to the reason that it breaks off. */
export const text = (response: Response): Effect.Effect<string, McpErrorReason> =>
  Effect.tryPromise({ try: () => response.text(), catch: reasonOf })
