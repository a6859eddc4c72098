/**
 * The SDK's Streamable HTTP transport with a short way for calls: one POST of our own, whose answer is parsed once.
 *
 * On the SDK's way each message is checked against its schema four times, and two signals are joined for each request,
 * which together costs more than the HTTP of it. The short way is taken for what agents call thousands of times, and
 * only as far as it is plain: any answer that is not 200 with the JSON of a result, alone or as the first event of a
 * stream, is handed to the SDK as the answer to its own request, so that what it means is the SDK's to say.
 */
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions
} from "@modelcontextprotocol/client"
import { asError } from "../failure/RequestFailure.ts"
import type { HttpResponse } from "../http/HttpResponse.ts"
import * as MediaType from "../http/MediaType.ts"
import { RequestGroup } from "../http/RequestGroup.ts"
import { isPlainResult, isRequest } from "../message/MessageKind.ts"
import * as PromptAnswer from "./PromptAnswer.ts"

/** Sends a request of JSON-RPC as one POST; the signal ends it, and the end of the group. */
export type Post = (
  message: JSONRPCRequest,
  fields: ReadonlyMap<string, string>,
  body: string,
  group: RequestGroup,
  signal: AbortSignal | undefined
) => Promise<HttpResponse>

export interface DirectTransportOptions extends Omit<StreamableHTTPClientTransportOptions, "fetch"> {
  readonly fetch: NonNullable<StreamableHTTPClientTransportOptions["fetch"]>
  readonly post: Post
}

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1]

/** Where the requests with a short way say what they ask for. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"]
])

/** Answers that the SDK is to read, by the body of their request; absent until there is one. */
interface Handed {
  answers: Map<string, Response> | undefined
}

export class DirectTransport extends StreamableHTTPClientTransport {
  readonly #post: Post
  readonly #handed: Handed
  readonly #requests = new RequestGroup()

  constructor(url: URL, { post, ...options }: DirectTransportOptions) {
    const handed: Handed = { answers: undefined }
    super(url, {
      ...options,
      fetch: async (target, init) => {
        const body = typeof init?.body === "string" ? init.body : ""
        const response = handed.answers?.get(body)
        // Once: what the SDK sends after a redirect is another request.
        handed.answers?.delete(body)
        return response ?? options.fetch(target, init)
      }
    })
    this.#post = post
    this.#handed = handed
  }

  override async send(message: JSONRPCMessage | Array<JSONRPCMessage>, options?: SendOptions): Promise<void> {
    const fields = Array.isArray(message) ? undefined : this.#fieldsOf(message, options)
    if (fields === undefined || Array.isArray(message) || !isRequest(message)) return super.send(message, options)
    const body = JSON.stringify(message)
    const answer = await this.#answer(message, fields, body, options)
    if (answer === undefined) return
    const answers = (this.#handed.answers ??= new Map()).set(body, answer)
    try {
      await super.send(message, options)
    } finally {
      answers.delete(body)
    }
  }

  override close(): Promise<void> {
    this.#requests.close(CLOSED)
    return super.close()
  }

  /** Passes on the result; gives the response where it has something else in it. */
  async #answer(
    message: JSONRPCRequest,
    fields: ReadonlyMap<string, string>,
    body: string,
    options: SendOptions
  ): Promise<Response | undefined> {
    const signal = options?.requestSignal
    try {
      const response = await this.#post(message, fields, body, this.#requests, signal)
      if (response.status !== 200) return response
      const type = response.field("content-type") ?? ""
      const essence = MediaType.essence(type)
      if (essence === MediaType.EVENT_STREAM) return await this.#stream(message, response, options)
      if (essence !== MediaType.JSON_TEXT) return response
      const text = await response.text()
      const answer: unknown = JSON.parse(text)
      if (!isPlainResult(answer)) return new Response(text, { headers: { "content-type": type } })
      this.onmessage?.(answer)
      return undefined
    } catch (error) {
      // As the SDK does where it sends.
      if (signal?.aborted !== true) this.onerror?.(asError(error))
      throw error
    }
  }

  /** The same of a stream. */
  async #stream(
    { id }: JSONRPCRequest,
    response: HttpResponse,
    options: SendOptions
  ): Promise<HttpResponse | undefined> {
    const answer = await PromptAnswer.find(response, id)
    if (answer === undefined) return response
    if (answer.eventId !== undefined) options?.onresumptiontoken?.(answer.eventId)
    const isWanted = () => options?.requestSignal?.aborted !== true && !this.#requests.isClosed
    answer.tell({
      message: (received) => this.onmessage?.(received),
      error: (error) => {
        if (isWanted()) this.onerror?.(asError(error))
      },
      end: () => {
        if (isWanted()) options?.onRequestStreamEnd?.()
      }
    })
    return undefined
  }

  /** The fields of a request that may go the short way; `undefined` for any other message. */
  #fieldsOf(message: JSONRPCMessage, options: SendOptions): ReadonlyMap<string, string> | undefined {
    const named = "method" in message ? NAMED_BY.get(message.method) : undefined
    if (named === undefined || !isRequest(message) || options?.resumptionToken !== undefined) return undefined
    const fields = new Map([
      ["content-type", "application/json"],
      ["accept", "application/json, text/event-stream"]
    ])
    if (this.sessionId !== undefined) fields.set("mcp-session-id", this.sessionId)
    const version = message.params?._meta?.[PROTOCOL_VERSION_META_KEY]
    if (typeof version === "string") {
      const name = message.params?.[named]
      // Others are encoded.
      if (typeof name !== "string" || !/^[!-~]+$/.test(name) || name.startsWith("=?")) return undefined
      fields.set("mcp-protocol-version", version).set("mcp-method", message.method).set("mcp-name", name)
    } else if (this.protocolVersion !== undefined) {
      fields.set("mcp-protocol-version", this.protocolVersion)
    }
    for (const [name, value] of Object.entries(options?.headers ?? {})) {
      // The SDK refuses some, and joins others with its own.
      if (!/^mcp-param-/i.test(name)) return undefined
      fields.set(name.toLowerCase(), value)
    }
    return fields
  }
}

/** Made once: each would look for where it comes from. */
const CLOSED = new DOMException("the transport was closed", "AbortError")
