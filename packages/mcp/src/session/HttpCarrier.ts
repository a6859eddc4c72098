/**
 * A session over Streamable HTTP: the SDK's transport, its streams resumed with patience.
 *
 * A session that the server has forgotten shows in the answer 404 to what belongs to it (2025-11-25 transports, Session
 * Management). Where that is a stream that was to be resumed, the carrier says so itself, and opens no stream any more:
 * the SDK would ask for it again and again.
 */
import type { FetchLike, ReconnectionScheduler } from "@modelcontextprotocol/client"
import type { Carrier, Lost } from "./Carrier.ts"
import { DirectTransport, type Post } from "./DirectTransport.ts"
import { ConnectionClosed } from "../McpError.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

/** How often a stream that broke is resumed, and what lies between two attempts, in milliseconds. */
const RECONNECTION = {
  maxRetries: 10,
  initialReconnectionDelay: 1_000,
  reconnectionDelayGrowFactor: 2,
  maxReconnectionDelay: 30_000
}

/** The part of a delay that is left to chance. */
const SPREAD = 0.25

export interface HttpCarrierOptions {
  readonly url: URL
  /** Puts the headers on. */
  readonly fetch: FetchLike
  /** The same for a request of JSON-RPC. */
  readonly post: Post
  readonly lost: Lost
  /** A number from 0 to 1. */
  readonly chance: () => number
}

export const make = ({ url, fetch, post, lost, chance }: HttpCarrierOptions): Carrier => {
  const retries = new StreamRetries(chance)
  let over = false
  let streamed = false
  const openStream: FetchLike = async (target, init) => {
    const eventId = new Headers(init?.headers).get("last-event-id") ?? undefined
    if (!over) {
      const response = await fetch(target, init)
      streamed ||= response.ok
      // A server without a stream may say so with 404; one that had a stream has forgotten the session.
      if (response.status !== 404 || (!streamed && eventId === undefined)) return response
      await response.body?.cancel()
    }
    retire()
    lost(eventId)
    throw new RequestFailure(new ConnectionClosed({ description: "the server ended the session of this stream" }))
  }
  const retire = () => {
    over = true
    retries.stop()
  }
  const transport = new DirectTransport(url, {
    post,
    fetch: (target, init) => (init?.method === "GET" ? openStream(target, init) : fetch(target, init)),
    reconnectionOptions: RECONNECTION,
    reconnectionScheduler: retries.schedule
  })
  return { kind: "http", transport, terminate: () => transport.terminateSession(), retire }
}

/** The streams that wait to be resumed; the SDK forgets all but one of them when it closes. */
class StreamRetries {
  #waiting: Map<ReturnType<typeof setTimeout>, () => void> | undefined
  readonly #chance: () => number
  #stopped = false

  constructor(chance: () => number) {
    this.#chance = chance
  }

  readonly schedule: ReconnectionScheduler = (reconnect, delay, attempt) => {
    // It fails once more and says whose stream it was; then there is nothing to wait for.
    if (this.#stopped) return attempt === 0 ? reconnect() : undefined
    // The first time may be the server's own wish. After that, streams that broke together come back one by one.
    const spread = attempt === 0 ? 0 : delay * SPREAD * this.#chance()
    const timer = setTimeout(() => {
      this.#waiting?.delete(timer)
      reconnect()
    }, delay + spread)
    this.#waiting = (this.#waiting ?? new Map()).set(timer, reconnect)
    return () => {
      clearTimeout(timer)
      this.#waiting?.delete(timer)
    }
  }

  /** Lets those that wait fail at once, and no other wait. */
  stop(): void {
    this.#stopped = true
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const [timer, reconnect] of waiting) {
      clearTimeout(timer)
      reconnect()
    }
  }
}
