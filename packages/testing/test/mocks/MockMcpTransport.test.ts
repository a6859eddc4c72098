import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as MockMcpTransport from "@letterhead/testing/mocks/MockMcpTransport"
import * as Effect from "effect/Effect"

const layer = MockMcpTransport.layer({
  linear: {
    era: "legacy",
    tools: {
      whose: (_args, call) => `${call.principal}/${call.sessionId}`,
      later: (args) => Effect.as(Effect.yieldNow, `later ${String(args["word"])}`),
      broken: () => ({ content: [], isError: true })
    },
    prompts: { greeting: (args) => `hello ${args["name"]}` },
    resources: { "note://1": "a note" }
  }
})

describe("MockMcpTransport", () => {
  it.effect("answers from its functions, at once or as an effect", () =>
    Effect.gen(function* () {
      const connection = yield* (yield* McpTransport).connect("linear")
      assert.strictEqual(connection.era, "legacy")
      assert.deepStrictEqual(
        (yield* connection.listTools).map(({ name }) => name),
        ["whose", "later", "broken"]
      )
      assert.deepStrictEqual((yield* connection.callTool("later", { word: "on" })).content, [
        { type: "text", text: "later on" }
      ])
      assert.isTrue((yield* connection.callTool("broken")).isError)
      assert.deepStrictEqual((yield* connection.getPrompt("greeting", { name: "anna" })).messages[0]?.content, {
        type: "text",
        text: "hello anna"
      })
      assert.deepStrictEqual((yield* connection.readResource("note://1")).contents, [
        { uri: "note://1", text: "a note" }
      ])
      assert.deepStrictEqual(
        (yield* connection.listPrompts).map(({ name }) => name),
        ["greeting"]
      )
      assert.deepStrictEqual(
        (yield* connection.listResources).map(({ uri }) => uri),
        ["note://1"]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("records the context of every call, and the owner of every connection", () =>
    Effect.gen(function* () {
      const transport = yield* McpTransport
      const connection = yield* transport.connect("linear", { principal: "anna" })
      assert.strictEqual(connection.principal, "anna")
      const answers = yield* Effect.forEach(
        ["s-1", "s-2"],
        (sessionId) => withCall(connection.callTool("whose", { sessionId }), { principal: "anna", sessionId }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers.map(({ content }) => content),
        [[{ type: "text", text: "anna/s-1" }], [{ type: "text", text: "anna/s-2" }]]
      )

      const mock = yield* MockMcpTransport.MockMcpTransport
      const owner = { principal: "anna", server: "linear" }
      const facts = { ...owner, method: "tools/call", tool: "whose" }
      assert.deepStrictEqual(yield* mock.connections, [{ server: "linear", owner }])
      assert.deepStrictEqual(yield* mock.calls, [
        {
          server: "linear",
          owner,
          call: { ...facts, callId: "call-1", sessionId: "s-1" },
          arguments: { sessionId: "s-1" }
        },
        {
          server: "linear",
          owner,
          call: { ...facts, callId: "call-2", sessionId: "s-2" },
          arguments: { sessionId: "s-2" }
        }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails for a server, a tool, a prompt and a resource that it does not have", () =>
    Effect.gen(function* () {
      const transport = yield* McpTransport
      assert.strictEqual((yield* Effect.flip(Effect.scoped(transport.connect("other")))).reason._tag, "ConfigFailed")
      const connection = yield* transport.connect("linear")
      const failures = [
        yield* Effect.flip(connection.callTool("toString")),
        yield* Effect.flip(connection.getPrompt("other")),
        yield* Effect.flip(connection.readResource("note://2"))
      ]
      assert.deepStrictEqual(
        failures.map(({ reason }) => reason._tag),
        ["ProtocolFailed", "ProtocolFailed", "ProtocolFailed"]
      )
    }).pipe(Effect.provide(layer))
  )
})
