/** Streams that a server keeps open after it has answered. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"

/** A server whose tool `answered` answers and keeps its stream open, and whose tool `silent` does not answer. */
const serve = Effect.gen(function* () {
  const closed: Array<string> = []
  const origin = yield* LoopbackListener.listen((request, response, body) => {
    const { id, method, params } = request.method === "POST" ? JSON.parse(body) : { id: undefined }
    if (method === "tools/call") {
      response.once("close", () => void closed.push(params.name))
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
      if (params.name === "answered") response.write(`data: ${messageOf(id, { result: { content: [] } })}\n\n`)
    } else if (id === undefined) response.writeHead(request.method === "POST" ? 202 : 405).end()
    else {
      const said = method === "initialize" ? { result: INITIALIZED } : { error: { code: -32_601, message: "unknown" } }
      response.writeHead(200, { "content-type": "application/json" }).end(messageOf(id, said))
    }
  })
  return { closed, harness: yield* Harness.make({ era: "legacy", url: `${origin}/mcp` }) }
})

const messageOf = (id: unknown, content: object): string => JSON.stringify({ jsonrpc: "2.0", id, ...content })

const INITIALIZED = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "test", version: "1" }
}

describe("a stream that stays open after the answer", () => {
  for (const client of ["SDK 1", "SDK 2"] as const) {
    it.live(`ends with the call that it belongs to (${client})`, () =>
      Effect.gen(function* () {
        const { closed, harness } = yield* serve
        const { callTool } = yield* Clients.connect(client, harness.transport, { principal: "ada" })
        const reason = yield* Harness.reasonOf(
          McpTransport.call(
            async (options) => {
              await callTool("answered", {}, options)
              await callTool("silent", {}, options)
            },
            { timeout: 200 }
          ).pipe(Harness.asSession("one"))
        )
        assert.strictEqual(reason._tag, "CallTimedOut")
        yield* Harness.until(Effect.sync(() => closed.length === 2))
      })
    )

    it.live(`ends with the connection (${client})`, () =>
      Effect.gen(function* () {
        const { closed, harness } = yield* serve
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { callTool } = yield* Clients.connect(client, harness.transport, { principal: "ada" })
            yield* McpTransport.call((options) => callTool("answered", {}, options)).pipe(Harness.asSession("one"))
          })
        )
        yield* Harness.until(Effect.sync(() => closed.length === 1))
      })
    )
  }
})
