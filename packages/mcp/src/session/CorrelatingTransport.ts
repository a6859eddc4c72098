/**
 * The SDK's transport with a thread from each message to the call it belongs to.
 *
 * The call travels in the options of a request; see `CarriedCall`. Here it is given the facts of the message, and is
 * entered under the request's id before the inner transport, and with it `fetch`, sees the message. A request without a
 * call is the connection's own. It serves the clients of both SDKs.
 *
 * Guarantees: a call of another principal than the connection's is refused before anything is sent; a call that ended
 * sends nothing more, whatever the era; its stream is not resumed; a request that the server never got is not cancelled
 * there; a request that will not be answered any more is answered with an error at once. What was sent is masked in every
 * error that comes back, also where a client reads it that is not ours (fault F83).
 */
import type {
  JSONRPCErrorResponse,
  JSONRPCMessage,
  JSONRPCRequest,
  Transport,
  TransportSendOptions
} from "@modelcontextprotocol/client"
import type * as Context from "effect/Context"
import type { Call } from "../call/Call.ts"
import type { CallCorrelation, RequestId } from "../call/CallCorrelation.ts"
import { carried } from "../call/CarriedCall.ts"
import { CLOSE_TIMEOUT, within } from "./Deadline.ts"
import { ConnectionClosed, type McpErrorReason, PrincipalMismatch, ProtocolFailed } from "../McpError.ts"
import * as Masking from "../failure/Masking.ts"
import * as MessageFacts from "../message/MessageFacts.ts"
import { isAnswer, isRequest, isResult } from "../message/MessageKind.ts"
import type { RenewableTransport } from "./RenewableTransport.ts"
import * as RequestFailure from "../failure/RequestFailure.ts"
import { cancelledId } from "./SessionMessages.ts"
import * as SdkFailure from "../failure/SdkFailure.ts"

export interface CorrelatingTransportOptions {
  readonly inner: RenewableTransport
  readonly correlation: CallCorrelation
  /** The connection's own call. */
  readonly owner: Call
  /** The name of the entry. */
  readonly server: string
  /** What the layer was built with; the fiber of a call goes before it. */
  readonly services: Context.Context<never>
  /** Makes up the id of a call that has none. */
  readonly nextCallId: () => string
}

/** Milliseconds that a cancellation may take; nobody waits for it longer. */
const CANCELLATION_TIMEOUT = 30_000

export class CorrelatingTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]
  /** Told of each answer first, with the call that it belongs to. */
  onanswer?: ((call: Call, message: JSONRPCMessage) => void) | undefined

  readonly #options: CorrelatingTransportOptions
  readonly #inner: RenewableTransport
  readonly #correlation: CallCorrelation
  readonly #owner: Call
  #cancelling: Set<Promise<void>> | undefined
  #closing: Promise<void> | undefined

  constructor(options: CorrelatingTransportOptions) {
    const { correlation, inner, owner } = options
    this.#options = options
    this.#inner = inner
    this.#correlation = correlation
    this.#owner = owner
    const handlers: Pick<Transport, "onclose" | "onerror" | "onmessage"> = {
      onclose: () => this.onclose?.(),
      onerror: (error) => this.onerror?.(this.#shown(error)),
      onmessage: (message, extra) => {
        if (!isAnswer(message)) return this.onmessage?.(message, extra)
        const { id } = message
        const call = id === undefined ? undefined : correlation.request(id)
        // An SDK would quote it, and whose headers stand in it nobody knows.
        if (id === undefined || call === undefined) return this.onerror?.(new RequestFailure.RequestFailure(UNASKED))
        this.onanswer?.(call, message)
        correlation.close(id)
        this.onmessage?.(isResult(message) ? message : masked(message, this.#sent(call)), extra)
      }
    }
    Object.assign(inner, handlers)
    inner.onlost = (id, reason) => this.#lose(id, reason)
  }

  /** In the modern era, over HTTP, the end of its stream is what cancels a request. */
  get hasPerRequestStream(): boolean {
    return this.#inner.kind === "http"
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId
  }

  start(): Promise<void> {
    return this.#inner.start()
  }

  /** Lets the last cancellations arrive, ends the session at the server, and disconnects; once. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion(version)
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (isRequest(message)) return this.#request(message, options)
    const cancelled = cancelledId(message)
    if (cancelled !== undefined) return this.#cancel(message, cancelled)
    return this.#inner.send(message, options)
  }

  async #close(): Promise<void> {
    if (this.#cancelling !== undefined) await within(CLOSE_TIMEOUT, Promise.allSettled(this.#cancelling))
    await this.#inner.close()
    this.#correlation.clear()
  }

  async #request(message: JSONRPCRequest, options: TransportSendOptions | undefined): Promise<void> {
    const call = this.#callOf(message, options)
    const ended = new AbortController()
    this.#correlation.open(message.id, call, {
      abort: () => ended.abort(),
      fail: (reason) => this.#lose(message.id, reason)
    })
    if (this.hasPerRequestStream) {
      options?.requestSignal?.addEventListener("abort", () => this.#correlation.drop(message.id), { once: true })
    }
    // Nothing tells when a program has read a request.
    if (this.#inner.kind === "stdio") this.#correlation.setWritten(message.id, true)
    try {
      await this.#inner.send(message, {
        ...options,
        requestSignal: ended.signal,
        onresumptiontoken: (eventId) => {
          this.#correlation.setEvent(message.id, eventId)
          options?.onresumptiontoken?.(eventId)
        },
        onRequestStreamEnd: () => {
          options?.onRequestStreamEnd?.()
          // The stream broke off and cannot be resumed. The SDK would wait for the timeout.
          this.#lose(message.id, STREAM_ENDED)
        }
      })
    } catch (error) {
      this.#correlation.close(message.id)
      if (ended.signal.aborted || error instanceof RequestFailure.RequestFailure) throw error
      // The SDK reads the errors of its own requests: they teach it the era.
      if (call === this.#owner) throw SdkFailure.masked(error, call.sent)
      throw new RequestFailure.RequestFailure(SdkFailure.reason(error, call, this.#owner))
    }
  }

  /** An error of the transport as whoever listens is shown it: ours, with what was sent masked. */
  #shown(error: Error): Error {
    if (RequestFailure.find(error) !== undefined) return error
    const reason = SdkFailure.reason(error, this.#owner, this.#owner, this.#sent(undefined))
    return new RequestFailure.RequestFailure(reason)
  }

  /** What an answer may quote: the headers of its call and of the connection; of all calls, where it is not known whose. */
  #sent(call: Call | undefined): ReadonlyArray<Masking.Sent> {
    const calls = call === undefined ? this.#correlation.calls() : [call]
    return [...new Set([this.#owner, ...calls].flatMap(({ sent }) => sent))]
  }

  #callOf(message: JSONRPCRequest, options: TransportSendOptions | undefined): Call {
    const call = carried(options)
    if (call === undefined) return this.#owner
    const { nextCallId, server, services } = this.#options
    const made = call.asking({ server, nextCallId, ...MessageFacts.of(message) }, services)
    const connection = this.#owner.context.principal
    if (made.context.principal === connection) return made
    throw new RequestFailure.RequestFailure(new PrincipalMismatch({ connection, call: made.context.principal }))
  }

  /** Answers a request that is still awaited and will not be answered. */
  #lose(id: RequestId, reason: McpErrorReason): void {
    if (!this.#correlation.drop(id)) return
    const data = new RequestFailure.RequestFailure(reason)
    this.onmessage?.({ jsonrpc: "2.0", id, error: { code: CONNECTION_CLOSED, message: reason.message, data } })
  }

  #cancel(message: JSONRPCMessage, id: RequestId): Promise<void> {
    // The server does not have it: there is nothing to cancel, and the headers may be what was refused.
    if (!this.#correlation.isWritten(id)) {
      this.#correlation.drop(id)
      return Promise.resolve()
    }
    this.#correlation.cancel(id)
    const call = this.#correlation.cancellation(id) ?? this.#owner
    // Until then its call is not over, whoever else of it was answered.
    const cancelling = { abort: () => {}, fail: () => {} }
    call.enter(cancelling)
    const sending = this.#inner
      .send(message, { requestSignal: AbortSignal.timeout(CANCELLATION_TIMEOUT) })
      .catch((error: unknown) => {
        throw new RequestFailure.RequestFailure(SdkFailure.reason(error, call, this.#owner))
      })
      .finally(() => {
        call.leave(cancelling)
        this.#correlation.cancelled(id)
        this.#cancelling?.delete(sending)
      })
    this.#cancelling = (this.#cancelling ?? new Set()).add(sending)
    return sending
  }
}

/** An error of JSON-RPC without the values of these headers. */
const masked = (message: JSONRPCErrorResponse, sent: ReadonlyArray<Masking.Sent>): JSONRPCErrorResponse => {
  const { data, message: text } = message.error
  const error = { ...message.error, message: Masking.mask(text, sent) }
  return { ...message, error: data === undefined ? error : { ...error, data: Masking.maskWithin(data, sent) } }
}

/** The code by which both SDKs tell their callers that a connection was closed. */
const CONNECTION_CLOSED = -32_000

const UNASKED = new ProtocolFailed({
  code: undefined,
  description: "the server answered something that was not asked, or not any more: no request under way has the id"
})

const STREAM_ENDED = new ConnectionClosed({ description: "the server ended its answer before it was complete" })
