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
import { type Carrier, type CarrierKind, RenewableTransport } from "./RenewableTransport.ts"
import { RequestFailure } from "./RequestFailure.ts"
import { RequestHeaders } from "./RequestHeaders.ts"
import { SseTransport } from "./SseTransport.ts"

export interface OpenOptions {
  readonly entry: ServerEntry
  /** The facts of the one who opens the connection. */
  readonly owner: CallContext
  readonly headers: ConnectionHeaders
  readonly dispatcher: Dispatcher
  /** What the layer was built with; the fiber of a call goes before it. */
  readonly services: Context.Context<never>
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
  const { entry, headers, dispatcher } = options
  const correlation = (yield* MakeCorrelation)()
  const { method: _method, tool: _tool, callId: _callId, ...facts } = options.owner
  const owner = new Call({ ...facts, server: entry.name }, Context.merge(options.services, yield* Effect.context()))
  const request = { server: entry.name, headers, correlation, owner, dispatcher }
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

  const endpoint = entry.endpoint
  const transport = new CorrelatingTransport(
    new RenewableTransport({
      kind: endpoint.type === "http" && endpoint.transport === "sse" ? "sse" : "http",
      fallback: endpoint.type === "http" && endpoint.transport === "auto",
      make,
      reconnect: Effect.mapError(headers.reconnect, (error) => new RequestFailure(new HeadersFailed({ error }))),
      owner,
      correlation,
      timeout: entry.connectTimeout
    }),
    correlation,
    owner
  )
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => {
      streams.clear()
      return transport.close()
    })
  )
  return { transport, owner, correlation }
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
