/** The short way of a call is the SDK's own way, seen from the server and from the client. */
import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/client"
import { assert, describe, it } from "vitest"
import { type Answer, answered as json, call, result, ShortWay } from "./support/ShortWay.ts"

const way = new ShortWay("message")

const modern = (name: string) => ({
  ...call,
  params: { name, _meta: { [PROTOCOL_VERSION_META_KEY]: "2026-07-28" } }
})

describe("a call on the short way", () => {
  it("is written as the SDK writes it, and its result is the message", async () => {
    way.answer = json(200, JSON.stringify(result))
    const before = way.posts
    const { messages, requests: written } = await way.assertSame(call)
    assert.strictEqual(way.posts, before + 1)
    assert.strictEqual(written.length, 1)
    assert.deepStrictEqual(messages, [result])
  })

  it("says in the modern era what it asks for, and what its tool wants said", async () => {
    way.answer = json(200, JSON.stringify(result), "application/json; charset=utf-8")
    const before = way.posts
    const { requests: written } = await way.assertSame(modern("echo"), { headers: { "Mcp-Param-Region": "eu" } })
    assert.strictEqual(way.posts, before + 1)
    assert.strictEqual(written[0]?.headers["mcp-name"], "echo")
    assert.strictEqual(written[0]?.headers["mcp-param-region"], "eu")
  })

  it.each(["écho", "two words", "=?base64?ZWNobw==?=", ""])("leaves the name %j to the SDK", async (name) => {
    way.answer = json(200, JSON.stringify(result))
    const before = way.posts
    await way.assertSame(modern(name))
    assert.strictEqual(way.posts, before)
  })

  it("leaves headers that a caller sets to the SDK", async () => {
    way.answer = json(200, JSON.stringify(result))
    const before = way.posts
    const { requests: written } = await way.assertSame(call, { headers: { "X-Own": "yes", "Mcp-Session-Id": "other" } })
    assert.strictEqual(way.posts, before)
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
    [
      "a redirect to another query",
      (request, response) =>
        request.url === "/mcp"
          ? response.writeHead(307, { location: "/mcp?again" }).end()
          : json(200, JSON.stringify(result))(request, response)
    ]
  ])("that is answered with %s ends as on the SDK's own way", async (_name, given) => {
    way.answer = given
    const before = way.posts
    await way.assertSame(call)
    await way.assertSame(modern("echo"))
    assert.strictEqual(way.posts, before + 2)
  })

  it("that is answered with what is no JSON fails as on the SDK's own way", async () => {
    way.answer = json(200, "{")
    const { failure, messages } = await way.assertSame(call)
    assert.match(failure ?? "", /^SyntaxError/)
    assert.deepStrictEqual(messages, [])
  })

  it("ends when the transport closes, and when its own signal aborts", async () => {
    way.answer = () => {}
    const closing = way.make()
    await closing.start()
    const closed = closing.send(call)
    await closing.close()
    await closed.then(
      () => assert.fail("it was answered"),
      (error: unknown) => assert.strictEqual(error instanceof Error && error.name, "AbortError")
    )
    const aborting = way.make()
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
