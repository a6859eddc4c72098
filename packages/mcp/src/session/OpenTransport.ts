/**
 * Opens what carries the messages of one connection: the transport that an SDK client is connected to.
 *
 * From the outside in: whose call a message is (`CorrelatingTransport`), which transport of the SDK carries it at the
 * moment (`RenewableTransport`), the headers of its request (`RequestHeaders`).
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { Dispatcher } from "undici"
import { Call } from "../call/Call.ts"
import { type CallCorrelation, MakeCorrelation } from "../call/CallCorrelation.ts"
import type { Carrier, CarrierKind, Lost } from "./Carrier.ts"
import { CorrelatingTransport } from "./CorrelatingTransport.ts"
import * as HttpCarrier from "./HttpCarrier.ts"
import { HeadersFailed } from "../McpError.ts"
import { RenewableTransport, type RenewableTransportOptions } from "./RenewableTransport.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"
import { RequestHeaders } from "../http/RequestHeaders.ts"
import * as SseTransport from "./SseTransport.ts"
import type { StdioPrograms } from "../stdio/StdioPrograms.ts"
import * as StdioTransport from "../stdio/StdioTransport.ts"

export interface OpenOptions {
  readonly entry: ServerEntry
  /** The facts of the one who opens the connection. */
  readonly owner: CallContext
  readonly way: HttpWay | StdioWay
  /** What the layer was built with; the fiber of a call goes before it. */
  readonly services: Context.Context<never>
  /** Makes up the id of a call that has none. */
  readonly nextCallId: () => string
}

/** By HTTP requests to a URL. */
export interface HttpWay {
  readonly _tag: "Http"
  readonly headers: ConnectionHeaders
  readonly dispatcher: Dispatcher
}

/** Over the standard streams of a program, which know no headers. */
export interface StdioWay {
  readonly _tag: "Stdio"
  readonly programs: StdioPrograms["Service"]
  /** Told when the program has ended by itself: the connection is of no use any more. */
  readonly ended: () => void
}

export interface OpenedTransport {
  readonly transport: CorrelatingTransport
  /** What it stands on: the sessions. */
  readonly renewable: RenewableTransport
  /** The connection's own call. */
  readonly owner: Call
  readonly correlation: CallCorrelation
}

/** A transport that is not started; it is closed with the scope. */
export const open = Effect.fnUntraced(function* (
  options: OpenOptions
): Effect.fn.Return<OpenedTransport, never, Scope.Scope> {
  const { entry, way } = options
  const correlation = (yield* MakeCorrelation)()
  const { method: _method, tool: _tool, callId: _callId, ...facts } = options.owner
  const owner = new Call({ ...facts, server: entry.name }, yield* Effect.context(), {}, options.services)
  const carriers =
    way._tag === "Http" ? yield* byHttp(entry, way, correlation, owner) : yield* byStdio(entry, way, correlation, owner)
  const inner = new RenewableTransport({ ...carriers, owner, correlation, timeout: entry.connectTimeout })
  const { nextCallId, services } = options
  const transport = new CorrelatingTransport({ inner, correlation, owner, server: entry.name, services, nextCallId })
  yield* Scope.addFinalizer(
    yield* Effect.scope,
    Effect.promise(() => transport.close())
  )
  return { transport, renewable: inner, owner, correlation }
})

/** What makes the transports of the SDK. */
type Carriers = Pick<RenewableTransportOptions, "kind" | "fallback" | "make" | "reconnect">

const byHttp = Effect.fnUntraced(function* (
  { endpoint, name }: ServerEntry,
  { dispatcher, headers }: HttpWay,
  correlation: CallCorrelation,
  owner: Call
): Effect.fn.Return<Carriers> {
  const request = { server: name, headers, correlation, owner, dispatcher }
  const { fetch, post } = new RequestHeaders(request)
  const random = yield* Random.Random
  const chance = () => random.nextDoubleUnsafe()
  const make = (kind: CarrierKind, lost: Lost): Carrier =>
    kind === "sse"
      ? SseTransport.make({ url: headers.url, fetch: new RequestHeaders({ ...request, paths: "origin" }).fetch, lost })
      : HttpCarrier.make({ url: headers.url, fetch, post, lost, chance })

  return {
    kind: endpoint.type === "http" && endpoint.transport === "sse" ? "sse" : "http",
    fallback: endpoint.type === "http" && endpoint.transport === "auto",
    make,
    reconnect: Effect.suspend(() =>
      Effect.mapError(headers.reconnect, (error) => new RequestFailure(new HeadersFailed({ error })))
    )
  }
})

/** A program is one carrier and no more: where it ends, so does the connection. */
const byStdio = Effect.fnUntraced(function* (
  entry: ServerEntry,
  { ended, programs }: StdioWay,
  correlation: CallCorrelation,
  owner: Call
): Effect.fn.Return<Carriers, never, Scope.Scope> {
  const transport = yield* StdioTransport.make(programs, entry, (reason) => {
    owner.fail(reason)
    for (const id of correlation.ids()) correlation.request(id)?.fail(reason)
    ended()
  })
  return { kind: "stdio", fallback: false, make: (kind) => ({ kind, transport }), reconnect: Effect.void }
})
