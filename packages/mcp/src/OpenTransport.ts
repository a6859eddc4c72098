/**
 * Opens what carries the messages of one connection: the transport that an SDK client is connected to.
 *
 * From the outside in: whose call a message is (`CorrelatingTransport`), which transport of the SDK carries it at the
 * moment (`RenewableTransport`), the headers of its request (`RequestHeaders`).
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type ReconnectionScheduler, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Dispatcher } from "undici"
import { Call } from "./Call.ts"
import { type CallCorrelation, MakeCorrelation } from "./CallCorrelation.ts"
import { CorrelatingTransport } from "./CorrelatingTransport.ts"
import { HeadersFailed } from "./McpError.ts"
import {
  type Carrier,
  type CarrierKind,
  RenewableTransport,
  type RenewableTransportOptions
} from "./RenewableTransport.ts"
import { RequestFailure } from "./RequestFailure.ts"
import { RequestHeaders } from "./RequestHeaders.ts"
import { SseTransport } from "./SseTransport.ts"
import type { StdioPrograms } from "./StdioPrograms.ts"
import * as StdioTransport from "./StdioTransport.ts"

export interface OpenOptions {
  readonly entry: ServerEntry
  /** The facts of the one who opens the connection. */
  readonly owner: CallContext
  readonly way: HttpWay | StdioWay
  /** What the layer was built with; the fiber of a call goes before it. */
  readonly services: Context.Context<never>
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
  /** The connection's own call. */
  readonly owner: Call
  readonly correlation: CallCorrelation
}

/** How often a stream that broke is resumed, and what lies between two attempts, in milliseconds. */
const RECONNECTION = {
  maxRetries: 10,
  initialReconnectionDelay: 1_000,
  reconnectionDelayGrowFactor: 2,
  maxReconnectionDelay: 30_000
}

/** A transport that is not started; it is closed with the scope. */
export const open = Effect.fnUntraced(function* (
  options: OpenOptions
): Effect.fn.Return<OpenedTransport, never, Scope.Scope> {
  const { entry, way } = options
  const correlation = (yield* MakeCorrelation)()
  const { method: _method, tool: _tool, callId: _callId, ...facts } = options.owner
  const owner = new Call({ ...facts, server: entry.name }, Context.merge(options.services, yield* Effect.context()))
  const { clear, ...carriers } =
    way._tag === "Http" ? yield* byHttp(entry, way, correlation, owner) : yield* byStdio(entry, way, correlation, owner)
  const renewable = new RenewableTransport({ ...carriers, owner, correlation, timeout: entry.connectTimeout })
  const transport = new CorrelatingTransport(renewable, correlation, owner)
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => {
      clear()
      return transport.close()
    })
  )
  return { transport, owner, correlation }
})

/** What makes the transports of the SDK. */
interface Carriers extends Pick<RenewableTransportOptions, "kind" | "fallback" | "make" | "reconnect"> {
  /** Begins nothing more. */
  readonly clear: () => void
}

const byHttp = Effect.fnUntraced(function* (
  { endpoint, name }: ServerEntry,
  { dispatcher, headers }: HttpWay,
  correlation: CallCorrelation,
  owner: Call
): Effect.fn.Return<Carriers> {
  const request = { server: name, headers, correlation, owner, dispatcher }
  const random = yield* Random.Random
  const streams = new StreamRetries(() => random.nextDoubleUnsafe())

  const make = (kind: CarrierKind, lost: () => void): Carrier => {
    if (kind === "sse") return { kind, transport: new SseTransport(headers.url, new RequestHeaders(request).fetch) }
    const { fetch } = new RequestHeaders(request)
    let streamed = false
    const transport = new StreamableHTTPClientTransport(headers.url, {
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        if (init?.method === "GET") {
          // A server without a stream may say so with 404; one that had a stream has forgotten the session.
          if (response.status === 404 && streamed) lost()
          streamed ||= response.ok
        }
        return response
      },
      reconnectionOptions: RECONNECTION,
      reconnectionScheduler: streams.schedule
    })
    return { kind, transport, terminate: () => transport.terminateSession() }
  }

  return {
    kind: endpoint.type === "http" && endpoint.transport === "sse" ? "sse" : "http",
    fallback: endpoint.type === "http" && endpoint.transport === "auto",
    make,
    reconnect: Effect.mapError(headers.reconnect, (error) => new RequestFailure(new HeadersFailed({ error }))),
    clear: () => streams.clear()
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
  return {
    kind: "stdio",
    fallback: false,
    make: (kind) => ({ kind, transport }),
    reconnect: Effect.void,
    clear: () => {}
  }
})

/** The streams that wait to be resumed; the SDK forgets all but one of them when it closes. */
class StreamRetries {
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  /** A number from 0 to 1. */
  readonly #chance: () => number

  constructor(chance: () => number) {
    this.#chance = chance
  }

  readonly schedule: ReconnectionScheduler = (reconnect, delay, attempt) => {
    // The first time may be the server's own wish. After that, streams that broke together come back one by one.
    const spread = attempt === 0 ? 0 : delay * SPREAD * this.#chance()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      reconnect()
    }, delay + spread)
    this.#timers.add(timer)
    return () => {
      clearTimeout(timer)
      this.#timers.delete(timer)
    }
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}

/** The part of a delay that is left to chance. */
const SPREAD = 0.25
