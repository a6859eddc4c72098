/**
 * The session that carries a connection at the moment, and its successor when the server has forgotten it.
 *
 * To the SDK's client it is one transport that goes on: where a server answers `initialize` with a 4xx, the deprecated
 * HTTP+SSE transport takes over (2025-11-25 transports, Backwards Compatibility); where a server no longer knows the
 * session (404, 2025-11-25 transports, Session Management) or an HTTP+SSE stream broke, a new session is begun with
 * headers that are asked for anew, and what was refused is sent in it. A request that a server may have taken is never
 * sent again: its answer is awaited while its stream lives, and then it fails. What only the old session understands, a
 * cancellation or a reply, is dropped.
 *
 * One renewal serves all who wait for it; see `Renewal` for what lies between two.
 */
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  ProtocolErrorCode,
  SdkHttpError,
  type Transport,
  type TransportSendOptions
} from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Call } from "../call/Call.ts"
import type { CallCorrelation, RequestId } from "../call/CallCorrelation.ts"
import type { Carrier, CarrierKind, Lost } from "./Carrier.ts"
import { CLOSE_TIMEOUT, within } from "./Deadline.ts"
import { CallTimedOut, ConnectionClosed, type McpErrorReason } from "../McpError.ts"
import { isAnswer, isRequest } from "../message/MessageKind.ts"
import { Renewal } from "./Renewal.ts"
import { asError, RequestFailure } from "../failure/RequestFailure.ts"
import * as SdkFailure from "../failure/SdkFailure.ts"
import { SessionHandshake } from "./SessionHandshake.ts"
import { cancelledId, isDiscover, isInitialize, isInitialized, isOfAnySession } from "./SessionMessages.ts"
import * as SseFallback from "./SseFallback.ts"
import { NoEventStream } from "./SseTransport.ts"

export interface RenewableTransportOptions {
  /** What to begin with. */
  readonly kind: CarrierKind
  /** Whether HTTP+SSE takes over where the server refuses `initialize` over Streamable HTTP. */
  readonly fallback: boolean
  readonly make: (kind: CarrierKind, lost: Lost) => Carrier
  /** Asks for the headers of a connection anew. */
  readonly reconnect: Effect.Effect<void, RequestFailure>
  readonly owner: Call
  readonly correlation: CallCorrelation
  /** Milliseconds for beginning a session. */
  readonly timeout: number
}

/** How often in a row a session is begun that nobody waits for. */
export const UNASKED_RENEWALS = 10

/** Why a session is begun anew. */
type RenewalReason = "session forgotten" | "stream lost"

const reconnects = (reason: RenewalReason) =>
  Metric.counter("letterhead_reconnects", {
    description: "Sessions of connections that were begun anew",
    incremental: true,
    attributes: { reason }
  })

export class RenewableTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]
  /** Told of each request that will not be answered any more. */
  onlost?: ((id: RequestId, reason: McpErrorReason) => void) | undefined
  /** Told when a new session was begun. */
  onrenewed?: (() => void) | undefined
  /** The refusal of `server/discover`, where it was one by status. */
  discoverRefusal: SdkHttpError | undefined

  readonly #options: RenewableTransportOptions
  readonly #renewal: Renewal
  readonly #handshake: SessionHandshake
  /** All that are not closed: the present one, its predecessor while an answer may come there, and who is to follow. */
  #carriers: ReadonlyArray<Carrier> = []
  #carrier: Carrier
  #next: Carrier | undefined
  /** The stream of the present carrier is gone, and it can send nothing. */
  #broken = false
  #closing: Promise<void> | undefined

  constructor(options: RenewableTransportOptions) {
    this.#options = options
    this.#renewal = new Renewal(options.owner)
    this.#handshake = new SessionHandshake(options.correlation, options.owner)
    this.#carrier = this.#make(options.kind)
  }

  get kind(): CarrierKind {
    return this.#carrier.kind
  }

  get sessionId(): string | undefined {
    return this.#carrier.transport.sessionId
  }

  start(): Promise<void> {
    return this.#carrier.transport.start()
  }

  setProtocolVersion(version: string): void {
    this.#carrier.transport.setProtocolVersion?.(version)
  }

  /** Ends the session at the server, and disconnects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (isInitialize(message)) return this.#begin(message, options)
    if (isDiscover(message) && this.kind === "sse") return this.#refuseDiscover(message)
    if (isInitialized(message)) this.#handshake.completeWith(message)
    if (this.#renewal.isRunning || this.#broken) {
      if (!isOfAnySession(message)) return
      await this.#renew(this.#carrier)
      options?.requestSignal?.throwIfAborted()
    }
    if (this.#isOfOldSession(message)) return
    const carrier = this.#carrier
    try {
      await this.#sendOn(carrier, message, options)
    } catch (error) {
      if (isDiscover(message) && error instanceof SdkHttpError) this.discoverRefusal = error
      if (!isForgotten(carrier, error)) throw error
      await this.#renew(carrier)
      if (!isOfAnySession(message)) return
      options?.requestSignal?.throwIfAborted()
      await this.#sendOn(this.#carrier, message, options)
    }
  }

  #sendOn(carrier: Carrier, message: JSONRPCMessage, options: TransportSendOptions | undefined): Promise<void> {
    if (isRequest(message)) this.#options.correlation.setSession(message.id, carrier)
    if (this.#carriers.length > 1) this.#releaseIdle()
    return carrier.transport.send(message, options)
  }

  /** Whether a cancellation is of a request that another session took. */
  #isOfOldSession(message: JSONRPCMessage): boolean {
    const id = cancelledId(message)
    const session = id === undefined ? undefined : this.#options.correlation.sessionOf(id)
    return session !== undefined && session !== this.#carrier
  }

  /** HTTP+SSE is of the legacy era, and some of its servers do not answer what comes before `initialize`. */
  #refuseDiscover({ id }: JSONRPCRequest): void {
    const error = { code: ProtocolErrorCode.MethodNotFound, message: "HTTP+SSE has no server/discover" }
    this.onmessage?.({ jsonrpc: "2.0", id, error })
  }

  #make(kind: CarrierKind): Carrier {
    const carrier: Carrier = this.#options.make(kind, (eventId) => this.#lose(carrier, eventId))
    const handlers: Pick<Transport, "onclose" | "onerror" | "onmessage"> = {
      onclose: () => {
        const present = carrier === this.#carrier && this.#carriers.includes(carrier)
        if (present && this.#closing === undefined && !this.#broken) this.onclose?.()
      },
      onerror: (error) => this.onerror?.(error),
      onmessage: (message, extra) => this.#receive(carrier, message, () => this.onmessage?.(message, extra))
    }
    Object.assign(carrier.transport, handlers)
    this.#carriers = [...this.#carriers, carrier]
    return carrier
  }

  #receive(carrier: Carrier, message: JSONRPCMessage, pass: () => void): void {
    // A reply to it would go to a session that did not ask.
    if (isRequest(message) && carrier !== this.#carrier) return
    if (!isAnswer(message)) return pass()
    if (this.#handshake.take(message)) return
    if (carrier === this.#carrier) this.#renewal.bear()
    pass()
    if (carrier !== this.#carrier) this.#releaseIdle()
  }

  async #begin(message: JSONRPCRequest, options: TransportSendOptions | undefined): Promise<void> {
    this.#handshake.beginWith(message)
    try {
      await this.#sendOn(this.#carrier, message, options)
    } catch (error) {
      if (!this.#options.fallback || this.#carrier.kind !== "http" || !SseFallback.isCalledFor(error)) throw error
      await this.#fallBack(error)
      await this.#sendOn(this.#carrier, message, options)
    }
  }

  /** Takes HTTP+SSE in place of Streamable HTTP; fails with both reasons where there is no event stream either. */
  async #fallBack(refusal: SdkHttpError): Promise<void> {
    const before = this.#carrier
    const next = (this.#next = this.#make("sse"))
    try {
      await next.transport.start()
    } catch (error) {
      await this.#discard(next)
      throw error instanceof NoEventStream ? new RequestFailure(SseFallback.neither(refusal, error.reason)) : error
    }
    this.#carrier = next
    await this.#discard(before)
  }

  /** The stream or the session of a carrier is gone: it is renewed at once, so that what the server says arrives. */
  #lose(carrier: Carrier, eventId: string | undefined): void {
    const { correlation } = this.#options
    for (const id of eventId === undefined ? [] : correlation.requestsAt(eventId)) {
      this.onlost?.(id, new ConnectionClosed(SESSION_OVER))
    }
    if (carrier !== this.#carrier || this.#closing !== undefined) return
    if (carrier.kind === "sse") {
      // The answers would have come on it.
      this.#broken = true
      for (const id of correlation.requestsIn(carrier)) this.onlost?.(id, new ConnectionClosed(STREAM_BROKE))
      void this.#discard(carrier)
    }
    this.#renewUnasked(carrier)
  }

  #renewUnasked(carrier: Carrier): void {
    if (this.#closing !== undefined || !this.#handshake.isComplete) return
    this.#renew(carrier).catch((error: unknown) => {
      this.onerror?.(asError(error))
      if (this.#renewal.inRow < UNASKED_RENEWALS) this.#renewUnasked(carrier)
    })
  }

  #renew(carrier: Carrier): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new RequestFailure(new ConnectionClosed(CLOSED)))
    if (carrier !== this.#carrier && !this.#renewal.isRunning) return Promise.resolve()
    return this.#renewal.run(this.#renewing(carrier)).catch((error: unknown) => {
      throw this.#closing === undefined ? error : new RequestFailure(new ConnectionClosed(CLOSED))
    })
  }

  #renewing(carrier: Carrier): Effect.Effect<void, RequestFailure> {
    const { owner, reconnect, timeout } = this.#options
    const refused = (error: unknown) => new RequestFailure(SdkFailure.reason(error, owner, owner))
    return Effect.gen({ self: this }, function* () {
      carrier.retire?.()
      yield* Metric.update(reconnects(this.#broken ? "stream lost" : "session forgotten"), 1)
      yield* reconnect
      const next = (this.#next = this.#make(carrier.kind))
      yield* Effect.tryPromise({
        try: (signal) => this.#handshake.repeat(next.transport, signal),
        catch: refused
      }).pipe(Effect.onError(() => Effect.promise(() => this.#abandon(next))))
      this.#carrier = next
      this.#broken = false
      this.#replaced(carrier)
      this.onrenewed?.()
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(new RequestFailure(new CallTimedOut({ operation: "reconnecting", milliseconds: timeout })))
      })
    )
  }

  /** The carrier before may still bring answers; who was before that brings none any more. */
  #replaced(before: Carrier): void {
    for (const carrier of this.#carriers) {
      if (carrier === this.#carrier || carrier === before) continue
      for (const id of this.#options.correlation.requestsIn(carrier)) {
        this.onlost?.(id, new ConnectionClosed(SESSION_OVER))
      }
      void this.#discard(carrier)
    }
    this.#releaseIdle()
  }

  /** Closes carriers of sessions that are over and that no request waits for. */
  #releaseIdle(): void {
    for (const carrier of this.#carriers) {
      if (
        carrier === this.#carrier ||
        carrier === this.#next ||
        this.#options.correlation.requestsIn(carrier).length > 0
      )
        continue
      void this.#discard(carrier)
    }
  }

  async #discard(carrier: Carrier): Promise<void> {
    if (!this.#carriers.includes(carrier)) return
    this.#carriers = this.#carriers.filter((other) => other !== carrier)
    await carrier.transport.close()
    // Only now: what waited to be resumed has nothing to say any more.
    carrier.retire?.()
  }

  /** Ends a session that was begun and is not wanted. */
  async #abandon(carrier: Carrier): Promise<void> {
    if (carrier.transport.sessionId !== undefined) await within(CLOSE_TIMEOUT, carrier.terminate?.())
    await this.#discard(carrier)
  }

  async #close(): Promise<void> {
    await this.#renewal.end()
    await within(CLOSE_TIMEOUT, this.#carrier.terminate?.())
    await Promise.all(this.#carriers.map((carrier) => this.#discard(carrier)))
    this.onclose?.()
  }
}

const STREAM_BROKE = { description: "the stream that answers come on broke before the call was answered" }
const SESSION_OVER = { description: "the server ended the session before the call was answered" }
const CLOSED = { description: "the connection was closed before the call was answered" }

/** Whether a refusal says that the server does not know the session any more; it took nothing. */
const isForgotten = ({ transport, kind }: Carrier, error: unknown): boolean =>
  error instanceof SdkHttpError && error.status === 404 && (kind === "sse" || transport.sessionId !== undefined)
