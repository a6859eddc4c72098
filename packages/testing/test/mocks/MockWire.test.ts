/** Clients of a runtime's own against mock servers. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as MockMcpTransport from "@letterhead/testing/mocks/MockMcpTransport"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"

const INFO = { name: "runtime", version: "1.0.0" }
const URL_OF_NOTHING = "http://mock.invalid/mcp"

const layer = (era: "legacy" | "modern") =>
  MockMcpTransport.layer({
    linear: {
      era,
      tools: { whose: (_args, call) => `${call.principal}/${call.sessionId}`, never: () => Effect.never },
      prompts: { greeting: (args) => `hello ${args["name"]}` },
      resources: { "note://1": "a note" }
    }
  })

const asSession =
  (sessionId: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    withCall(effect, { principal: "ada", sessionId })

for (const era of ["legacy", "modern"] as const) {
  describe(`a mock server of the ${era} era`, () => {
    const connected = Effect.gen(function* () {
      const service = yield* McpTransport.McpTransport
      const transport = yield* service.transport("linear", { principal: "ada" })
      const client = new Client(INFO, { versionNegotiation: { mode: "auto" } })
      yield* Effect.promise(() => client.connect(transport))
      return client
    })

    it.effect("answers the client of an SDK, and each call is that of its session", () =>
      Effect.gen(function* () {
        const client = yield* connected
        assert.strictEqual(client.getProtocolEra(), era)
        const whose = McpTransport.call((options) => client.callTool({ name: "whose", arguments: {} }, options))
        for (const session of ["one", "two"]) {
          const { content } = yield* whose.pipe(asSession(session))
          assert.deepStrictEqual(content, [{ type: "text", text: `ada/${session}` }])
        }
        const { tools } = yield* Effect.promise(() => client.listTools())
        assert.deepStrictEqual(
          tools.map(({ name }) => name),
          ["whose", "never"]
        )
        const { messages } = yield* Effect.promise(() =>
          client.getPrompt({ name: "greeting", arguments: { name: "anna" } })
        )
        assert.deepStrictEqual(messages[0]?.content, { type: "text", text: "hello anna" })
        const { contents } = yield* Effect.promise(() => client.readResource({ uri: "note://1" }))
        assert.deepInclude(contents[0], { text: "a note" })
        const calls = yield* (yield* MockMcpTransport.MockMcpTransport).calls
        assert.deepStrictEqual(
          calls.map(({ call }) => `${call.sessionId} ${call.method}`),
          [
            "one tools/call",
            "two tools/call",
            "undefined tools/list",
            "undefined prompts/get",
            "undefined resources/read"
          ]
        )
      }).pipe(Effect.provide(layer(era)))
    )

    it.live("ends a call that is given up", () =>
      Effect.gen(function* () {
        const client = yield* connected
        const never = McpTransport.call((options) => client.callTool({ name: "never", arguments: {} }, options), {
          timeout: 20
        })
        const { reason } = yield* never.pipe(asSession("one"), Effect.flip)
        assert.strictEqual(reason._tag, "CallTimedOut")
        const missing = McpTransport.call((options) => client.callTool({ name: "nobody", arguments: {} }, options))
        assert.deepInclude((yield* missing.pipe(asSession("one"), Effect.flip)).reason, {
          _tag: "ProtocolFailed",
          code: -32_602
        })
      }).pipe(Effect.provide(layer(era)))
    )

    it.effect("answers a fetch, all of whose requests are of one call", () =>
      Effect.gen(function* () {
        const service = yield* McpTransport.McpTransport
        const fetch = yield* service.fetch("linear", { principal: "ada", sessionId: "one" })
        const client = new Client(INFO, { versionNegotiation: { mode: "auto" } })
        const transport = new StreamableHTTPClientTransport(new URL(URL_OF_NOTHING), { fetch })
        yield* Effect.acquireRelease(
          Effect.promise(() => client.connect(transport)),
          () => Effect.promise(() => client.close())
        )
        const { content } = yield* Effect.promise(() => client.callTool({ name: "whose", arguments: {} }))
        assert.deepStrictEqual(content, [{ type: "text", text: "ada/one" }])
      }).pipe(Effect.provide(layer(era)))
    )

    it.effect("answers Effect's client, and each call is that of its fiber", () =>
      Effect.gen(function* () {
        const service = yield* McpTransport.McpTransport
        const http = yield* service.httpClient("linear", { principal: "ada" })
        const transport = yield* McpClient.http({
          url: URL_OF_NOTHING,
          protocol: era === "legacy" ? McpProtocol.v2025_11_25 : McpProtocol.v2026_07_28
        }).pipe(Effect.provideService(HttpClient.HttpClient, http))
        const client = yield* McpClient.make(INFO).pipe(Effect.provideService(McpClient.Transport, transport))
        const tools = yield* client.listTools().pipe(asSession("one"))
        const [whose] = tools
        assert.isDefined(whose)
        for (const session of ["one", "two"]) {
          const { content } = yield* client.callTool({ tool: whose, arguments: {} }).pipe(asSession(session))
          assert.deepInclude(content[0], { type: "text", text: `ada/${session}` })
        }
      }).pipe(Effect.provide(layer(era)))
    )
  })
}
