/**
 * The short way of a call and the SDK's own, seen from the server and from the client: each answer is given to both over
 * real sockets, and what comes of it is compared.
 */
import { type JSONRPCMessage, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Agent } from "undici"
import { afterAll, assert, beforeAll } from "vitest"
import * as HttpExchange from "../../src/http/HttpExchange.ts"
import * as HttpRequest from "../../src/http/HttpRequest.ts"
import { DirectTransport, type Post } from "../../src/session/DirectTransport.ts"

/** Answers a request whose body was read. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export type SendOptions = NonNullable<Parameters<StreamableHTTPClientTransport["send"]>[1]>

/** What comes of a message. */
export interface Outcome {
  readonly messages: ReadonlyArray<JSONRPCMessage>
  readonly errors: ReadonlyArray<string>
  readonly failure: string | undefined
  /** The ids of the events of its stream up to its answer, after which nothing is resumed. */
  readonly events: ReadonlyArray<string>
  /** How often it was told that the stream is over. */
  readonly streamEnds: number
  readonly requests: ReadonlyArray<{ readonly headers: Readonly<Record<string, unknown>>; readonly body: string }>
}

export const call = {
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: { name: "echo", arguments: { a: 1 } }
} as const

export const result: JSONRPCMessage = {
  jsonrpc: "2.0",
  id: 7,
  result: { content: [{ type: "text", text: "yes" }] }
}

export const answered =
  (status: number, body: string, type = "application/json"): Answer =>
  (_request, response) =>
    response.writeHead(status, { "content-type": type }).end(body)

/** How often one looks for a message that may never come, and for the end of a stream, which always does. */
const LOOKS = { message: 20, "end of a stream": 4_000 }
/** Milliseconds between two looks. */
const PAUSE = 5

/** Streams that broke are resumed at once, and once. */
const RECONNECTION = {
  maxRetries: 1,
  initialReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
  maxReconnectionDelay: 1
}

/** Both ways to one server, which lives as long as the tests of the suite. */
export class ShortWay {
  /** What the server does. */
  answer: Answer = () => {}
  /** Requests of the short way. */
  posts = 0
  readonly #agent = new Agent()
  readonly #server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      this.#requests.push({ headers: ofMcp(request.headers), body: Buffer.concat(chunks).toString() })
      this.answer(request, response)
    })
  })
  #requests: Array<Outcome["requests"][number]> = []
  #url = new URL("http://127.0.0.1")
  readonly #last: keyof typeof LOOKS

  /** `last` is what comes last, where it was sent. */
  constructor(last: keyof typeof LOOKS) {
    this.#last = last
    beforeAll(async () => {
      await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve()))
      const address = this.#server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      this.#url = new URL(`http://127.0.0.1:${port}/mcp`)
    })
    afterAll(async () => {
      await this.#agent.close()
      this.#server.closeAllConnections()
      this.#server.close()
    })
  }

  /** A transport that takes the short way. */
  make(): DirectTransport {
    return new DirectTransport(this.#url, {
      sessionId: "s-1",
      fetch: (input, init) => fetch(input, init),
      post: this.#post,
      reconnectionOptions: RECONNECTION
    })
  }

  /** What comes of it on either way; fails where that is not the same. */
  async assertSame(message: JSONRPCMessage, options: SendOptions = {}): Promise<Outcome> {
    const before = this.posts
    const own = await this.#outcome(this.#own(), message, options)
    assert.strictEqual(this.posts, before)
    const direct = await this.#outcome(this.make(), message, options)
    assert.deepStrictEqual(direct, own)
    return direct
  }

  #own(): StreamableHTTPClientTransport {
    return new StreamableHTTPClientTransport(this.#url, { sessionId: "s-1", reconnectionOptions: RECONNECTION })
  }

  readonly #post: Post = (_message, headers, body, group, signal) => {
    this.posts += 1
    return HttpExchange.send(this.#agent, {
      origin: this.#url.origin,
      path: this.#url.pathname,
      method: "POST",
      fields: HttpRequest.fieldsOf({ method: "POST", headers, body }, undefined),
      body,
      signals: signal === undefined ? [] : [signal],
      group,
      limit: 1024 * 1024,
      silence: 0
    })
  }

  async #outcome(
    transport: StreamableHTTPClientTransport,
    message: JSONRPCMessage,
    options: SendOptions
  ): Promise<Outcome> {
    const messages: Array<JSONRPCMessage> = []
    const errors: Array<string> = []
    const events: Array<string> = []
    let streamEnds = 0
    this.#requests = []
    const handlers: Pick<Transport, "onmessage" | "onerror"> = {
      onmessage: (received) => void messages.push(received),
      // A stream that broke has an error of its own on either way.
      onerror: (error) => void errors.push(/^SSE stream|broke/.test(error.message) ? "broken" : error.name)
    }
    Object.assign(transport, handlers)
    transport.setProtocolVersion("2025-11-25")
    await transport.start()
    const failure = await transport
      .send(message, {
        ...options,
        onresumptiontoken: (id) => {
          if (!messages.some((received) => !("method" in received))) events.push(id)
        },
        onRequestStreamEnd: () => void (streamEnds += 1)
      })
      .then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))
      )
    const isOver = () => failure !== undefined || (this.#last === "message" ? messages.length : streamEnds) > 0
    for (let looks = LOOKS[this.#last]; looks > 0 && !isOver(); looks--) await pause()
    await transport.close()
    return { messages, errors, failure, events, streamEnds, requests: this.#requests }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE))

/** The headers that say something about the message. */
const ofMcp = (headers: IncomingMessage["headers"]) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => name.startsWith("mcp-") || name === "content-type" || name === "accept" || name === "x-own"
    )
  )
