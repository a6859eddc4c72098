/**
 * The SDK's transport that carries a connection at the moment, and its successor when the server has forgotten it.
 *
 * To the SDK's client it is one transport that goes on: where a server answers `initialize` with a 4xx, the deprecated
 * HTTP+SSE transport takes over (2025-11-25 transports, Backwards Compatibility); where a server no longer knows the
 * session (404, 2025-11-25 transports, Session Management) or an HTTP+SSE stream broke, a new session is begun with
 * headers that are asked for anew, and what was refused is sent in it. A request that a server may have taken is never
 * sent again: it fails.
 *
 * One renewal serves all who wait for it. One after another that brings no answer waits longer and longer, up to half
 * a minute.
 */
import * as BackOff from "@letterhead/core/helper/BackOff"
import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  SdkHttpError,
  SseError,
  type Transport,
  type TransportSendOptions
} from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Call } from "./Call.ts"
import type { CallCorrelation, RequestId } from "./CallCorrelation.ts"
import { CallTimedOut, ConnectionClosed, type McpErrorReason, ProtocolFailed } from "./McpError.ts"
import { RequestFailure } from "./RequestFailure.ts"

/** How messages travel: Streamable HTTP, HTTP+SSE, or the standard streams of a program. */
export type CarrierKind = "http" | "sse" | "stdio"

/** One transport of the SDK. */
export interface Carrier {
  readonly kind: CarrierKind
  readonly transport: Transport
  /** Ends the session at the server. */
  readonly terminate?: () => Promise<void>
}

export interface RenewableTransportOptions {
  /** What to begin with. */
  readonly kind: CarrierKind
  /** Whether HTTP+SSE takes over where the server refuses `initialize` over Streamable HTTP. */
  readonly fallback: boolean
  /** Makes a transport that is not started; it says by `lost` that the server has forgotten its session. */
  readonly make: (kind: CarrierKind, lost: () => void) => Carrier
  /** Asks for the headers of a connection anew. */
  readonly reconnect: Effect.Effect<void, RequestFailure>
  readonly owner: Call
  readonly correlation: CallCorrelation
  /** Milliseconds for beginning a session. */
  readonly timeout: number
}

/** Milliseconds that ending the session at the server may take. */
export const CLOSE_TIMEOUT = 2_000

/** A carrier that was replaced, and the requests that it may still bring the answers of. */
interface Retired {
  readonly carrier: Carrier
  readonly requests: Set<string>
}

export class RenewableTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]
  /** Told of each request that will not be answered any more. */
  onlost?: ((id: RequestId, reason: McpErrorReason) => void) | undefined

  readonly #options: RenewableTransportOptions
  #carrier: Carrier
  #retired: Retired | undefined
  #handshake: JSONRPCRequest | undefined
  #initialized: JSONRPCNotification | undefined
  #renewal: Promise<void> | undefined
  #renewals = 0
  /** Since when so many renewals brought no answer, and the clock's milliseconds before which there is no other. */
  #fruitless = 0
  #notBefore = 0
  #broken = false
  #closing: Promise<void> | undefined
  readonly #answers = new Map<RequestId, (message: JSONRPCMessage) => void>()

  constructor(options: RenewableTransportOptions) {
    this.#options = options
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
    if (isHandshake(message)) return this.#begin(message, options)
    if (this.#renewal !== undefined || this.#broken) {
      await this.#renew(this.#carrier)
      options?.requestSignal?.throwIfAborted()
    }
    const carrier = this.#carrier
    try {
      await carrier.transport.send(message, options)
    } catch (error) {
      if (!isForgotten(carrier, error)) throw error
      await this.#renew(carrier)
      // What the old session was told or asked is nothing to the new one.
      if (!isOfAnySession(message)) return
      options?.requestSignal?.throwIfAborted()
      if (isJSONRPCRequest(message)) this.#retired?.requests.delete(String(message.id))
      await this.#carrier.transport.send(message, options)
    }
    if (isInitialized(message)) this.#initialized = message
  }

  #make(kind: CarrierKind): Carrier {
    const carrier: Carrier = this.#options.make(kind, () => this.#lose(carrier))
    const handlers: Pick<Transport, "onclose" | "onerror" | "onmessage"> = {
      onclose: () => {
        if (carrier === this.#carrier && this.#closing === undefined && !this.#broken) this.onclose?.()
      },
      onerror: (error) => {
        if (error instanceof SseError) this.#lose(carrier)
        this.onerror?.(error)
      },
      onmessage: (message, extra) => this.#receive(carrier, message, () => this.onmessage?.(message, extra))
    }
    Object.assign(carrier.transport, handlers)
    return carrier
  }

  #receive(carrier: Carrier, message: JSONRPCMessage, pass: () => void): void {
    if (!isJSONRPCResultResponse(message) && !isJSONRPCErrorResponse(message)) return pass()
    if (message.id === undefined) return pass()
    const waiting = this.#answers.get(message.id)
    if (waiting !== undefined) return waiting(message)
    if (carrier === this.#carrier) this.#fruitless = 0
    this.#retired?.requests.delete(String(message.id))
    pass()
  }

  async #begin(message: JSONRPCRequest, options: TransportSendOptions | undefined): Promise<void> {
    this.#handshake = message
    try {
      await this.#carrier.transport.send(message, options)
    } catch (error) {
      if (!this.#options.fallback || this.#carrier.kind !== "http" || !isFallbackStatus(error)) throw error
      await this.#fallBack(message, options, error)
    }
  }

  /** Takes HTTP+SSE in place of Streamable HTTP; where that is no way either, the first refusal is what counts. */
  async #fallBack(
    message: JSONRPCRequest,
    options: TransportSendOptions | undefined,
    refusal: SdkHttpError
  ): Promise<void> {
    const sse = this.#make("sse")
    try {
      await sse.transport.start()
    } catch (error) {
      await sse.transport.close()
      throw error instanceof RequestFailure ? error : refusal
    }
    const { transport } = this.#carrier
    this.#carrier = sse
    await transport.close()
    await sse.transport.send(message, options)
  }

  /** The stream or the session of a carrier is gone: it is renewed at once, so that what the server says arrives. */
  #lose(carrier: Carrier): void {
    if (carrier !== this.#carrier || this.#closing !== undefined || this.#handshake === undefined) return
    if (carrier.kind === "sse") {
      if (this.#broken) return
      // The answers would have come on the stream. An EventSource would come back by itself, and without a session.
      this.#broken = true
      void carrier.transport.close()
      for (const id of this.#options.correlation.ids()) this.onlost?.(id, new ConnectionClosed(STREAM_BROKE))
    }
    this.#renew(carrier).catch((error: unknown) => this.onerror?.(asError(error)))
  }

  #renew(carrier: Carrier): Promise<void> {
    if (carrier !== this.#carrier && this.#renewal === undefined) return Promise.resolve()
    return (this.#renewal ??= Effect.runPromiseWith(this.#options.owner.services)(this.#renewing(carrier)).finally(
      () => {
        this.#renewal = undefined
      }
    ))
  }

  #renewing(carrier: Carrier): Effect.Effect<void, unknown> {
    const { reconnect, timeout } = this.#options
    return Effect.gen({ self: this }, function* () {
      const wait = this.#notBefore - (yield* Clock.currentTimeMillis)
      if (this.#fruitless > 0 && wait > 0) yield* Effect.sleep(wait)
      this.#fruitless += 1
      this.#notBefore = (yield* Clock.currentTimeMillis) + BackOff.delay(this.#fruitless, yield* Random.next)
      yield* reconnect
      const next = this.#make(carrier.kind)
      yield* Effect.tryPromise({ try: (signal) => this.#handshakeOn(next, signal), catch: (error) => error }).pipe(
        Effect.onError(() => Effect.promise(() => next.transport.close()))
      )
      this.#replace(next)
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(new RequestFailure(new CallTimedOut({ operation: "reconnecting", milliseconds: timeout })))
      })
    )
  }

  /** Begins a session as the client began its first one. */
  async #handshakeOn(carrier: Carrier, signal: AbortSignal): Promise<void> {
    const { correlation, owner } = this.#options
    const { transport } = carrier
    const handshake = this.#handshake
    if (handshake === undefined) throw new RequestFailure(new ConnectionClosed(STREAM_BROKE))
    const id = `letterhead-renewal-${++this.#renewals}`
    correlation.open(id, owner)
    try {
      await transport.start()
      const answered = new Promise<JSONRPCMessage>((resolve, reject) => {
        this.#answers.set(id, resolve)
        signal.addEventListener("abort", () => reject(asError(signal.reason)), { once: true })
      })
      // Handled below, unless sending fails first.
      answered.catch(() => {})
      await transport.send({ ...handshake, id }, { requestSignal: signal })
      const answer = await answered
      if (!isJSONRPCResultResponse(answer)) throw new RequestFailure(new ProtocolFailed(NOT_RENEWED))
      const version = answer.result["protocolVersion"]
      if (typeof version === "string") transport.setProtocolVersion?.(version)
      if (this.#initialized !== undefined) await transport.send(this.#initialized)
    } finally {
      this.#answers.delete(id)
      correlation.close(id)
    }
  }

  #replace(next: Carrier): void {
    const { correlation } = this.#options
    const before = this.#retired
    this.#retired = { carrier: this.#carrier, requests: new Set([...correlation.ids()].map(String)) }
    this.#carrier = next
    this.#broken = false
    if (before === undefined) return
    for (const id of before.requests) {
      this.#retired.requests.delete(id)
      this.onlost?.(id, new ConnectionClosed(SESSION_OVER))
    }
    void before.carrier.transport.close()
  }

  async #close(): Promise<void> {
    await within(CLOSE_TIMEOUT, this.#carrier.terminate?.())
    await this.#retired?.carrier.transport.close()
    await this.#carrier.transport.close()
    this.onclose?.()
  }
}

const STREAM_BROKE = { description: "the stream that answers come on broke before the call was answered" }
const SESSION_OVER = { description: "the server ended the session before the call was answered" }
const NOT_RENEWED = { code: undefined, description: "the server forgot the session and refuses a new one" }

const isHandshake = (message: JSONRPCMessage): message is JSONRPCRequest =>
  isJSONRPCRequest(message) && message.method === "initialize"

const isInitialized = (message: JSONRPCMessage): message is JSONRPCNotification =>
  isJSONRPCNotification(message) && message.method === "notifications/initialized"

/** Whether a message means the same in a new session: requests do, and what is told of the client. */
const isOfAnySession = (message: JSONRPCMessage): boolean =>
  isJSONRPCRequest(message) ||
  (isJSONRPCNotification(message) &&
    message.method !== "notifications/cancelled" &&
    message.method !== "notifications/initialized")

/** Whether a refusal says that the server does not know the session any more; it took nothing. */
const isForgotten = ({ transport, kind }: Carrier, error: unknown): boolean =>
  kind === "http" && transport.sessionId !== undefined && error instanceof SdkHttpError && error.status === 404

/** 401, 403, 408 and 429 never come here: they end the request. */
const isFallbackStatus = (error: unknown): error is SdkHttpError =>
  error instanceof SdkHttpError && error.status !== undefined && error.status >= 400 && error.status < 500

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** Waits for a promise, whatever comes of it, and no longer than so many milliseconds. */
const within = async (milliseconds: number, promise: Promise<void> | undefined): Promise<void> => {
  if (promise === undefined) return
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise.catch(() => {}), late])
  clearTimeout(timer)
}
