/** A loopback server, a transport to it and what a test wants to look at, for as long as the scope. */
import { type CallContext, withCall } from "@letterhead/core/call/CallContext"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import { CallCorrelation, MakeCorrelation } from "@letterhead/mcp/call/CallCorrelation"
import * as HttpLimits from "@letterhead/mcp/http/HttpLimits"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import type { McpError, McpErrorReason } from "@letterhead/mcp/McpError"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as StdioPrograms from "@letterhead/mcp/stdio/StdioPrograms"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Resolver from "./Resolver.ts"

export interface HarnessOptions extends LoopbackServer.LoopbackServerOptions {
  readonly resolver?: Resolver.ResolverOptions
  readonly connectTimeout?: number
  /** Instead of the loopback server's. */
  readonly url?: string
  /** What the entry says of its transport. Default `http`. */
  readonly type?: "http" | "sse" | "auto"
  /** Default: the defaults, with a back-off that no test has to wait for. */
  readonly limits?: Partial<HttpLimits.HttpLimits>
}

export interface Harness {
  readonly server: LoopbackServer.LoopbackServer
  readonly resolver: Resolver.ResolverState
  readonly transport: McpTransport.McpTransport["Service"]
  /** Of every connection that was opened. */
  readonly correlations: ReadonlyArray<CallCorrelation>
  /** Connects as the principal `ada`, and waits for the GET stream of a legacy connection. */
  readonly connect: Effect.Effect<McpConnection, McpError, Scope.Scope>
}

/** Each era with each kind of response. */
export const cases = (["legacy", "modern"] as const).flatMap((era) =>
  (["json", "sse"] as const).map((responses) => ({ era, responses }))
)

export const make = Effect.fnUntraced(function* (
  options: HarnessOptions
): Effect.fn.Return<Harness, never, Scope.Scope> {
  const server = yield* LoopbackServer.make(options)
  const entry = EntryFixture.entry({
    url: options.url ?? server.url,
    transport: options.type ?? "http",
    ...(options.connectTimeout === undefined ? {} : { connectTimeout: options.connectTimeout })
  })
  const resolver = Resolver.make(options.resolver)
  const correlations: Array<CallCorrelation> = []
  const context = yield* Layer.build(
    McpTransport.layer.pipe(Layer.provide([McpConfig.layer([entry]), resolver.layer, StdioPrograms.layerDenyAll]))
  ).pipe(Effect.provideService(HttpLimits.HttpLimits, { ...HttpLimits.DEFAULTS, backOff: 10, ...options.limits }))
  const service = yield* McpTransport.McpTransport.pipe(Effect.provideContext(context))
  const kept = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, MakeCorrelation, () => {
      const correlation = new CallCorrelation()
      correlations.push(correlation)
      return correlation
    })
  const transport = McpTransport.McpTransport.of({
    ...service,
    connect: (...parameters) => kept(service.connect(...parameters)),
    transport: (...parameters) => kept(service.transport(...parameters))
  })
  return {
    server,
    resolver: resolver.state,
    transport,
    correlations,
    connect: Effect.tap(transport.connect("example", { principal: "ada" }), ({ era }) =>
      // The SDK opens it beside the calls, and it would take the faults that are meant for them.
      era === "modern"
        ? Effect.void
        : until(
            Effect.map(server.requests, (requests) =>
              requests.some(({ httpMethod, status }) => httpMethod === "GET" && status !== undefined)
            )
          )
    )
  }
})

/** As a session of `ada`. */
export const asSession =
  (sessionId: string, facts: Partial<CallContext> = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withCall(effect, { principal: "ada", sessionId, ...facts })

export { until }

/** The reason an effect fails with. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, McpError, R>): Effect.Effect<McpErrorReason, A, R> =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** Requests whose `x-session` is not what it must be: the mark of a call, or the connection's. */
export const crossed = (requests: ReadonlyArray<RecordedRequest>): ReadonlyArray<RecordedRequest> =>
  requests.filter((request) => {
    const said = request.headers.get("x-session") ?? "nothing"
    return request.sessionMark === undefined
      ? said !== Resolver.ownerMark(request.headers.get("x-principal") ?? "")
      : said !== request.sessionMark
  })
