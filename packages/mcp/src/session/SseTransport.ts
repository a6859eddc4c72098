/**
 * The deprecated HTTP+SSE transport (2024-11-05): a GET opens the one stream that all answers come on, and its first
 * event names the endpoint that takes the messages.
 *
 * Written here and not taken from the SDK: the SDK's opens a stream that broke again by itself, in a session that knows
 * nothing of what was asked before, has no way to end one request, and keeps of a refusal no more than its text.
 *
 * Guarantees: nothing is sent to an endpoint that is not at the origin of the stream (fault F47); a request whose caller
 * gave up is not sent; a stream that ends ends the session, and says so.
 */
import {
  type FetchLike,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type Transport,
  type TransportSendOptions
} from "@modelcontextprotocol/client"
import type { Event } from "effect/encoding/Sse"
import * as MediaType from "../http/MediaType.ts"
import type { Carrier, Lost } from "./Carrier.ts"
import * as EventReader from "./EventReader.ts"
import { ConnectionClosed, HttpFailed, type McpErrorReason, ProtocolFailed } from "../McpError.ts"
import { asError, RequestFailure } from "../failure/RequestFailure.ts"

export interface SseTransportOptions {
  readonly url: URL
  /** Puts the headers on. */
  readonly fetch: FetchLike
  /** Told once when the stream has ended, whoever ended it but {@link SseTransport.close}. */
  readonly lost: Lost
}

/** There is no event stream at the URL: it is none of a server that speaks HTTP+SSE. */
export class NoEventStream extends RequestFailure {}

export const make = (options: SseTransportOptions): Carrier => ({ kind: "sse", transport: new SseTransport(options) })

class SseTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]

  readonly #options: SseTransportOptions
  readonly #closed = new AbortController()
  #started = false
  #endpoint: URL | undefined
  #protocolVersion: string | undefined

  constructor(options: SseTransportOptions) {
    this.#options = options
  }

  /** Opens the stream and waits for its endpoint. */
  async start(): Promise<void> {
    if (this.#started) throw new Error("the transport was started before")
    this.#started = true
    const response = await this.#options.fetch(this.#options.url, {
      headers: this.#headers({ accept: MediaType.EVENT_STREAM }),
      signal: this.#closed.signal
    })
    const refused = refusal(response)
    if (refused !== undefined) {
      await response.body?.cancel()
      throw new NoEventStream(refused)
    }
    await new Promise<void>((resolve, reject) => {
      void this.#read(response, resolve, reject)
    })
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (this.#endpoint === undefined) throw new SdkError(SdkErrorCode.NotConnected, "Not connected")
    const { signal } = this.#closed
    const response = await this.#options.fetch(this.#endpoint, {
      method: "POST",
      headers: this.#headers({ "content-type": "application/json" }),
      body: JSON.stringify(message),
      signal: options?.requestSignal === undefined ? signal : AbortSignal.any([signal, options.requestSignal])
    })
    // Answers come on the stream; what stands here says at most why there will be none.
    const text = await response.text()
    if (response.ok) return
    const { status, statusText } = response
    throw new SdkHttpError(SdkErrorCode.ClientHttpNotImplemented, `HTTP ${status}`, { status, statusText, text })
  }

  close(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#closed.abort()
      this.onclose?.()
    }
    return Promise.resolve()
  }

  setProtocolVersion(version: string): void {
    this.#protocolVersion = version
  }

  #headers(fields: Readonly<Record<string, string>>): Record<string, string> {
    return this.#protocolVersion === undefined ? fields : { ...fields, "mcp-protocol-version": this.#protocolVersion }
  }

  /** Reads the stream to its end; it has begun when the endpoint is named. */
  async #read(response: Response, begun: () => void, failed: (error: unknown) => void): Promise<void> {
    let failure: unknown = new RequestFailure(ENDED)
    try {
      await readEvents(response, ({ event, data }) => {
        if (event === "message") return this.#receive(data)
        if (event !== "endpoint" || this.#endpoint !== undefined) return
        this.#endpoint = endpointOf(data, this.#options.url)
        begun()
      })
    } catch (error) {
      failure = error
    }
    if (this.#closed.signal.aborted) return failed(failure)
    if (this.#endpoint !== undefined) return this.#options.lost()
    failed(failure)
  }

  #receive(data: string): void {
    try {
      this.onmessage?.(parseJSONRPCMessage(JSON.parse(data)))
    } catch (error) {
      this.onerror?.(asError(error))
    }
  }
}

const readEvents = async (response: Response, take: (event: Event) => void): Promise<void> => {
  if (response.body === null) return
  const read = EventReader.make((event) => {
    if (event._tag === "Event") take(event)
  })
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      read(value)
    }
  } finally {
    // Where it was not read to its end.
    void reader.cancel().catch(() => {})
  }
}

/** Why an answer is no event stream. */
const refusal = (response: Response): McpErrorReason | undefined => {
  if (!response.ok) return new HttpFailed({ status: response.status, description: NO_STREAM })
  if (MediaType.essence(response.headers.get("content-type")) === MediaType.EVENT_STREAM) return undefined
  return new ProtocolFailed({ code: undefined, description: NOT_SSE })
}

const NO_STREAM = "the server offers no event stream at this URL"
const NOT_SSE = "the server answered with something that is not an event stream; is this the URL of an SSE server?"
const ENDED = new ConnectionClosed({
  description:
    "the event stream ended before the server named an endpoint for messages; is this the URL of an SSE server?"
})

/** The endpoint that the server names; fails where it is not at the origin of the stream. */
const endpointOf = (named: string, stream: URL): URL => {
  const endpoint = URL.parse(named, stream)
  const own =
    endpoint !== null &&
    endpoint.protocol === stream.protocol &&
    endpoint.origin === stream.origin &&
    endpoint.username === "" &&
    endpoint.password === ""
  if (own) return endpoint
  throw new RequestFailure(new ProtocolFailed({ code: undefined, description: ENDPOINT_ELSEWHERE }))
}

const ENDPOINT_ELSEWHERE =
  "the server names an endpoint for messages that is not at its own origin; nothing was sent there, since headers go to the origin of the configured URL only"
