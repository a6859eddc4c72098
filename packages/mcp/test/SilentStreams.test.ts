/** Streams on which nothing comes any more, on connections of the SDK: fault F59. */
import { assert, describe, it } from "@effect/vitest"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const RESULT = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "half-open", version: "1.0.0" }
}

/** A server of the legacy era whose streams begin and then say nothing; a stream of a call names one event first. */
const halfOpen = Effect.gen(function* () {
  const streams = { open: 0, most: 0 }
  let called: number | undefined
  const gets: Array<{ readonly authorization: string; readonly lastEventId: string | undefined }> = []
  const origin = yield* LoopbackListener.listen((request, response, body) => {
    if (request.method === "DELETE") return void response.writeHead(200).end()
    const message: { readonly id?: number; readonly method?: string } = body === "" ? {} : JSON.parse(body)
    if (message.method === "initialize") {
      response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" })
      return void response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: RESULT }))
    }
    if (request.method === "POST" && message.method !== "tools/call") {
      return void response.writeHead(message.id === undefined ? 202 : 400).end()
    }
    response.writeHead(200, { "content-type": "text/event-stream" })
    if (message.method === "tools/call") {
      called = message.id
      return void response.end("id: call-1\nretry: 10\ndata: \n\n")
    }
    const lastEventId = request.headers["last-event-id"]
    gets.push({
      authorization: request.headers.authorization ?? "",
      lastEventId: typeof lastEventId === "string" ? lastEventId : undefined
    })
    if (lastEventId === "call-1") {
      response.flushHeaders()
      if (gets.filter((get) => get.lastEventId === "call-1").length === 1) return
      const result = { content: [{ type: "text", text: "late" }] }
      return void response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id: called, result })}\n\n`)
    }
    streams.open += 1
    streams.most = Math.max(streams.most, streams.open)
    response.once("close", () => (streams.open -= 1))
    response.write("id: stream-1\nretry: 10\ndata: \n\n")
  })
  return { url: `${origin}/mcp`, streams, gets }
})

describe("a stream that is half open", () => {
  it.live("F59: is ended and opened again, each time with headers of its own, and never twice at once", () =>
    Effect.gen(function* () {
      const server = yield* halfOpen
      let asked = 0
      const harness = yield* Harness.make({
        era: "legacy",
        url: server.url,
        limits: { silence: 200 },
        resolver: { token: () => `token-${++asked}` }
      })
      yield* harness.transport.connect("example", { principal: "ada" })
      yield* Harness.until(Effect.sync(() => server.gets.length >= 4))
      assert.strictEqual(server.streams.most, 1)
      assert.strictEqual(new Set(server.gets.map(({ authorization }) => authorization)).size, server.gets.length)
      assert.deepStrictEqual(
        server.gets.slice(0, 3).map(({ lastEventId }) => lastEventId),
        [undefined, "stream-1", "stream-1"]
      )
    })
  )

  it.live("F59: of a call that was resumed is resumed once more, and the call is answered", () =>
    Effect.gen(function* () {
      const server = yield* halfOpen
      const harness = yield* Harness.make({ era: "legacy", url: server.url, limits: { silence: 200 } })
      const connection = yield* harness.transport.connect("example", { principal: "ada" })
      const { content } = yield* connection.callTool("slow", {}, { timeout: 20_000 }).pipe(Harness.asSession("one"))
      assert.deepStrictEqual(content, [{ type: "text", text: "late" }])
    })
  )
})
