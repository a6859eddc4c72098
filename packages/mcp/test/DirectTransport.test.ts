/**
 * The short way of a call is the SDK's own way, seen from the server and from the client: each answer is given to both
 * over real sockets, and what comes of it is compared.
 */
import {
  type JSONRPCMessage,
  PROTOCOL_VERSION_META_KEY,
  StreamableHTTPClientTransport,
  type Transport
} from "@modelcontextprotocol/client"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Agent } from "undici"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { DirectTransport, type Post } from "../src/session/DirectTransport.ts"
import * as HttpExchange from "../src/http/HttpExchange.ts"
import * as HttpRequest from "../src/http/HttpRequest.ts"

type Answer = (request: IncomingMessage, response: ServerResponse) => void
type SendOptions = NonNullable<Parameters<StreamableHTTPClientTransport["send"]>[1]>

interface Outcome {
  readonly messages: ReadonlyArray<JSONRPCMessage>
  readonly errors: ReadonlyArray<string>
  readonly failure: string | undefined
  readonly requests: ReadonlyArray<{ readonly headers: Readonly<Record<string, unknown>>; readonly body: string }>
}

const agent = new Agent()
let answer: Answer = () => {}
let requests: Array<Outcome["requests"][number]> = []
const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    requests.push({ headers: ofMcp(request.headers), body: Buffer.concat(chunks).toString() })
    answer(request, response)
  })
})
let url = new URL("http://127.0.0.1")

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
  const address = server.address()
  url = new URL(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/mcp`)
})

afterAll(async () => {
  await agent.close()
  server.closeAllConnections()
  server.close()
})

/** The headers that say something about the message. */
const ofMcp = (headers: IncomingMessage["headers"]) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => name.startsWith("mcp-") || name === "content-type" || name === "accept" || name === "x-own"
    )
  )

const fetch: typeof globalThis.fetch = (input, init) => globalThis.fetch(input, init)

let posts = 0
const post: Post = (_message, headers, body, group, signal) => {
  posts += 1
  return HttpExchange.send(agent, {
    origin: url.origin,
    path: url.pathname,
    method: "POST",
    fields: HttpRequest.fieldsOf({ method: "POST", headers, body }, undefined),
    body,
    signals: signal === undefined ? [] : [signal],
    group,
    limit: 1024 * 1024,
    silence: 0
  })
}

/** How often a message is waited for that may never come. */
const WAITS = 20

const outcome = async (
  transport: Transport,
  message: JSONRPCMessage,
  options: SendOptions | undefined
): Promise<Outcome> => {
  const messages: Array<JSONRPCMessage> = []
  const errors: Array<string> = []
  requests = []
  const handlers: Pick<Transport, "onmessage" | "onerror"> = {
    onmessage: (received) => void messages.push(received),
    onerror: (error) => void errors.push(error.name)
  }
  Object.assign(transport, handlers)
  transport.setProtocolVersion?.("2025-11-25")
  await transport.start()
  const failure = await transport.send(message, options).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  )
  // What a stream says comes after the request is sent.
  for (let turn = failure === undefined ? 0 : WAITS; turn < WAITS && messages.length === 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await transport.close()
  return { messages, errors, failure, requests }
}

/** What comes of it on either way; fails where that is not the same. */
const assertSame = async (message: JSONRPCMessage, options?: SendOptions): Promise<Outcome> => {
  const before = posts
  const own = await outcome(new StreamableHTTPClientTransport(url, { sessionId: "s-1" }), message, options)
  assert.strictEqual(posts, before)
  const direct = await outcome(new DirectTransport(url, { sessionId: "s-1", fetch, post }), message, options)
  assert.deepStrictEqual(direct, own)
  return direct
}

const call = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "echo", arguments: { a: 1 } } } as const
const result: JSONRPCMessage = { jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: "yes" }] } }
const json =
  (status: number, body: string, type = "application/json"): Answer =>
  (_request, response) =>
    response.writeHead(status, { "content-type": type }).end(body)

const modern = (name: string) => ({
  ...call,
  params: { name, _meta: { [PROTOCOL_VERSION_META_KEY]: "2026-07-28" } }
})

describe("a call on the short way", () => {
  it("is written as the SDK writes it, and its result is the message", async () => {
    answer = json(200, JSON.stringify(result))
    const before = posts
    const { messages, requests: written } = await assertSame(call)
    assert.strictEqual(posts, before + 1)
    assert.strictEqual(written.length, 1)
    assert.deepStrictEqual(messages, [result])
  })

  it("says in the modern era what it asks for, and what its tool wants said", async () => {
    answer = json(200, JSON.stringify(result), "application/json; charset=utf-8")
    const before = posts
    const { requests: written } = await assertSame(modern("echo"), { headers: { "Mcp-Param-Region": "eu" } })
    assert.strictEqual(posts, before + 1)
    assert.strictEqual(written[0]?.headers["mcp-name"], "echo")
    assert.strictEqual(written[0]?.headers["mcp-param-region"], "eu")
  })

  it.each(["écho", "two words", "=?base64?ZWNobw==?=", ""])("leaves the name %j to the SDK", async (name) => {
    answer = json(200, JSON.stringify(result))
    const before = posts
    await assertSame(modern(name))
    assert.strictEqual(posts, before)
  })

  it("leaves headers that a caller sets to the SDK", async () => {
    answer = json(200, JSON.stringify(result))
    const before = posts
    const { requests: written } = await assertSame(call, { headers: { "X-Own": "yes", "Mcp-Session-Id": "other" } })
    assert.strictEqual(posts, before)
    assert.strictEqual(written[0]?.headers["mcp-session-id"], "s-1")
  })

  it.each<[string, Answer]>([
    ["an error", json(200, JSON.stringify({ jsonrpc: "2.0", id: 7, error: { code: -1, message: "no" } }))],
    ["several messages", json(200, JSON.stringify([{ jsonrpc: "2.0", method: "notifications/x" }, result]))],
    ["no message", json(200, `{"id":7}`)],
    ["null", json(200, "null")],
    ["a page", json(200, "<html></html>", "text/html")],
    ["another kind of JSON", json(200, JSON.stringify(result), "application/jsonl")],
    [
      "400 with an error of the protocol",
      json(400, JSON.stringify({ jsonrpc: "2.0", id: 7, error: { code: -32020, message: "no" } }))
    ],
    ["404", json(404, "not found", "text/plain")],
    ["500", json(500, "broken", "text/plain")],
    ["202", (_request, response) => response.writeHead(202).end()],
    ["an event stream", json(200, `event: message\ndata: ${JSON.stringify(result)}\n\n`, "text/event-stream")],
    [
      "a redirect to another query",
      (request, response) =>
        request.url === "/mcp"
          ? response.writeHead(307, { location: "/mcp?again" }).end()
          : json(200, JSON.stringify(result))(request, response)
    ]
  ])("that is answered with %s ends as on the SDK's own way", async (_name, given) => {
    answer = given
    const before = posts
    await assertSame(call)
    await assertSame(modern("echo"))
    assert.strictEqual(posts, before + 2)
  })

  it("that is answered with what is no JSON fails as on the SDK's own way", async () => {
    answer = json(200, "{")
    const { failure, messages } = await assertSame(call)
    assert.match(failure ?? "", /^SyntaxError/)
    assert.deepStrictEqual(messages, [])
  })

  it("is not tried after an answer that was a stream", async () => {
    answer = json(200, `event: message\ndata: ${JSON.stringify(result)}\n\n`, "text/event-stream")
    const transport = new DirectTransport(url, { fetch, post })
    const before = posts
    await transport.start()
    await transport.send(call)
    await transport.send({ ...call, id: 8 })
    await transport.close()
    assert.strictEqual(posts, before + 1)
  })

  it("ends when the transport closes, and when its own signal aborts", async () => {
    answer = () => {}
    const closing = new DirectTransport(url, { fetch, post })
    await closing.start()
    const closed = closing.send(call)
    await closing.close()
    await closed.then(
      () => assert.fail("it was answered"),
      (error: unknown) => assert.strictEqual(error instanceof Error && error.name, "AbortError")
    )
    const aborting = new DirectTransport(url, { fetch, post })
    await aborting.start()
    const abort = new AbortController()
    const errors: Array<Error> = []
    Object.assign(aborting, { onerror: (error: Error) => void errors.push(error) })
    const aborted = aborting.send(call, { requestSignal: abort.signal })
    abort.abort()
    await aborted.then(
      () => assert.fail("it was answered"),
      (error: unknown) => assert.strictEqual(error instanceof Error && error.name, "AbortError")
    )
    assert.deepStrictEqual(errors, [])
    await aborting.close()
  })
})
