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

const EVENTS = { "content-type": "text/event-stream" }

const json = (id: number | undefined, result: object) => JSON.stringify({ jsonrpc: "2.0", id, result })

/** A server of the legacy era whose streams begin and then say nothing; a stream of a call names one event first. */
const halfOpen = Effect.gen(function* () {
  const streams = { open: 0, most: 0 }
  let called: number | undefined
  const gets: Array<{ readonly authorization: string; readonly lastEventId: string | undefined }> = []
  const origin = yield* LoopbackListener.listen((request, response, body) => {
    const message: { readonly id?: number; readonly method?: string } = body === "" ? {} : JSON.parse(body)
    const lastEventId = request.headers["last-event-id"]
    const answer = (status: number, headers: Readonly<Record<string, string>> = {}, text = "") => {
      response.writeHead(status, headers).end(text)
    }
    if (request.method === "GET") {
      const authorization = request.headers.authorization ?? ""
      gets.push({ authorization, lastEventId: typeof lastEventId === "string" ? lastEventId : undefined })
    }
    if (request.method === "DELETE") answer(200)
    else if (message.method === "initialize") {
      answer(200, { "content-type": "application/json", "mcp-session-id": "s" }, json(message.id, RESULT))
    } else if (message.method === "tools/call") {
      called = message.id
      answer(200, EVENTS, "id: call-1\nretry: 10\ndata: \n\n")
    } else if (request.method === "POST") answer(message.id === undefined ? 202 : 400)
    else if (lastEventId !== "call-1") {
      streams.open += 1
      streams.most = Math.max(streams.most, streams.open)
      response.once("close", () => (streams.open -= 1))
      response.writeHead(200, EVENTS).write("id: stream-1\nretry: 10\ndata: \n\n")
    } else if (gets.filter((get) => get.lastEventId === "call-1").length === 1) {
      response.writeHead(200, EVENTS).flushHeaders()
    } else answer(200, EVENTS, `data: ${json(called, { content: [{ type: "text", text: "late" }] })}\n\n`)
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
