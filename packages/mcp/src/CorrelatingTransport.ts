/**
 * The SDK's transport with a thread from each message to the call it belongs to.
 *
 * The call travels in the `headers` option of a request under a symbol, which the SDK copies from leg to leg and never
 * writes; see {@link carry}. Here it is entered under the request's id before the inner transport, and with it `fetch`,
 * sees the message. A request without a call is the connection's own.
 *
 * Guarantees: a call that ended sends nothing more, whatever the era; its stream is not resumed; a request that the
 * server never got is not cancelled there; a request that will not be answered any more ends its call at once.
 */
import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type Transport,
  type TransportSendOptions
} from "@modelcontextprotocol/client"
import type { Call } from "./Call.ts"
import type { CallCorrelation, RequestId } from "./CallCorrelation.ts"
import { ConnectionClosed, type McpErrorReason } from "./McpError.ts"
import type { RenewableTransport } from "./RenewableTransport.ts"

const CALL: unique symbol = Symbol("@letterhead/mcp/Call")

interface CarriedHeaders extends Readonly<Record<string, string>> {
  readonly [CALL]: Call
}

/** The `headers` option that carries a call through the SDK. */
export const carry = (call: Call): CarriedHeaders => ({ [CALL]: call })

const carried = (headers: TransportSendOptions["headers"]): Call | undefined =>
  headers !== undefined && CALL in headers && isCarried(headers) ? headers[CALL] : undefined

const isCarried = (headers: Readonly<Record<string, string>>): headers is CarriedHeaders => CALL in headers

/** Milliseconds that a cancellation may take; nobody waits for it longer. */
const CANCELLATION_TIMEOUT = 30_000

export class CorrelatingTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]

  readonly #inner: RenewableTransport
  readonly #correlation: CallCorrelation
  readonly #owner: Call
  readonly #cancelling = new Set<Promise<void>>()

  constructor(inner: RenewableTransport, correlation: CallCorrelation, owner: Call) {
    this.#inner = inner
    this.#correlation = correlation
    this.#owner = owner
    const handlers: Pick<Transport, "onclose" | "onerror" | "onmessage"> = {
      onclose: () => this.onclose?.(),
      onerror: (error) => this.onerror?.(error),
      onmessage: (message, extra) => {
        const answered = isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)
        if (answered && message.id !== undefined) correlation.close(message.id)
        this.onmessage?.(message, extra)
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

  /** Lets the last cancellations arrive, ends the session at the server, and disconnects. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#cancelling)
    await this.#inner.close()
    this.#correlation.clear()
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion(version)
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (isJSONRPCRequest(message)) return this.#request(message, options)
    const cancelled = isJSONRPCNotification(message) ? cancelledId(message) : undefined
    if (cancelled !== undefined) return this.#cancel(message, cancelled)
    return this.#inner.send(message, options)
  }

  async #request(message: JSONRPCRequest, options: TransportSendOptions | undefined): Promise<void> {
    const call = carried(options?.headers) ?? this.#owner
    const requestSignal = signalOf(call, this.#owner, options?.requestSignal)
    this.#correlation.open(message.id, call)
    // Nothing tells when a program has read a request.
    if (this.#inner.kind === "stdio") this.#correlation.setWritten(message.id, true)
    try {
      await this.#inner.send(message, {
        ...options,
        requestSignal,
        onresumptiontoken: (eventId) => {
          this.#correlation.setEvent(message.id, eventId)
          options?.onresumptiontoken?.(eventId)
        },
        onRequestStreamEnd: () => {
          options?.onRequestStreamEnd?.()
          // The stream broke off and cannot be resumed. The SDK would wait for the timeout.
          this.#lose(message.id, new ConnectionClosed({ description: STREAM_ENDED }))
        }
      })
    } catch (error) {
      this.#correlation.close(message.id)
      throw error
    }
  }

  /** Ends the call of a request that is still awaited and will not be answered. */
  #lose(id: RequestId, reason: McpErrorReason): void {
    const call = this.#correlation.request(id)
    if (call === undefined) return
    this.#correlation.close(id)
    if (call !== this.#owner) return call.fail(reason)
    this.onmessage?.({ jsonrpc: "2.0", id, error: { code: CONNECTION_CLOSED, message: reason.message } })
  }

  #cancel(message: JSONRPCMessage, id: RequestId): Promise<void> {
    // The server does not have it: there is nothing to cancel, and the headers may be what was refused.
    if (!this.#correlation.isWritten(id)) {
      this.#correlation.close(id)
      return Promise.resolve()
    }
    this.#correlation.cancel(id)
    const sending = this.#inner
      .send(message, { requestSignal: AbortSignal.timeout(CANCELLATION_TIMEOUT) })
      .finally(() => {
        this.#correlation.cancelled(id)
        this.#cancelling.delete(sending)
      })
    this.#cancelling.add(sending)
    return sending
  }
}

/** The code by which both SDKs tell their callers that a connection was closed. */
const CONNECTION_CLOSED = -32_000

const STREAM_ENDED = "the server ended its answer before it was complete"

const cancelledId = (message: JSONRPCNotification): RequestId | undefined => {
  if (message.method !== "notifications/cancelled") return undefined
  const id = message.params?.["requestId"]
  return typeof id === "string" || typeof id === "number" ? id : undefined
}

/** What ends a request: the SDK (modern era), or the end of its call. */
const signalOf = (call: Call, owner: Call, requested: AbortSignal | undefined): AbortSignal | undefined => {
  if (call === owner) return requested
  return requested === undefined ? call.signal : AbortSignal.any([requested, call.signal])
}
