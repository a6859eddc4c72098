/** OpenCode 28225, "add mcp.call.before plugin hook for per-call MCP request headers". */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Project from "./Project.ts"

/** Verbatim. */
const PLUGIN = `
  export default {
    "mcp.call.before": async (input, output) => {
      output.headers["X-Session-Id"] = input.sessionID
      output.headers["X-Call-Id"]    = input.callID
      if (input.server === "my-server") {
        output.headers["X-User-Id"] = process.env.USER_ID ?? ""
      }
    },
  }
`

const scene = Effect.fnUntraced(function* (plugins: Readonly<Record<string, string>>, name = "my-server") {
  const server = yield* LoopbackServer.make({ era: "both" })
  const project = yield* Project.make({
    "opencode.json": JSON.stringify({
      mcp: { [name]: { type: "remote", url: server.url, headers: { "X-Static": "static", "X-Other": "other" } } },
      plugin: Object.keys(plugins).map((file) => `./${file}`)
    }),
    ...plugins
  })
  return { server, project }
})

const hook = (body: string) => `export default { "mcp.call.before": async (input, output) => { ${body} } }`

describe("OpenCode 28225: mcp.call.before", () => {
  it.live("sessions that share a connection send their own session and call ids; static headers go on unchanged", () =>
    Effect.gen(function* () {
      const { server, project } = yield* scene({ "plugin.mjs": PLUGIN })
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        const connection = yield* (yield* McpTransport).connect("my-server")
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          (index) =>
            withCall(connection.callTool("echo", { session: `session-${index % 4}`, index }), {
              sessionId: `session-${index % 4}`,
              callId: `call-${index}`
            }),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.scoped, Effect.provide(project.layer()))

      const calls = Project.toolCalls(yield* server.requests)
      assert.strictEqual(calls.length, 20)
      for (const { arguments: given, headers } of calls) {
        assert.strictEqual(headers.get("x-session-id"), given?.["session"])
        assert.strictEqual(headers.get("x-call-id"), `call-${String(given?.["index"])}`)
        assert.strictEqual(headers.get("x-static"), "static")
        // USER_ID is not set here: an empty value is not sent.
        assert.isUndefined(headers.get("x-user-id"))
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("it fires once for each call, and for lists, prompts and resources too", () =>
    Effect.gen(function* () {
      const { server, project } = yield* scene({
        "plugin.mjs": `let runs = 0
          export default { "mcp.call.before": async (input, output) => {
            output.headers["X-Saw"] = [++runs, input.method, input.tool, input.server].join(" ")
          } }`
      })
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        const connection = yield* (yield* McpTransport).connect("my-server")
        yield* withCall(
          Effect.gen(function* () {
            yield* connection.listTools
            yield* connection.callTool("echo", {})
            yield* connection.getPrompt("greeting", { session: "session-1" })
            yield* connection.readResource("loopback://note")
          }),
          { sessionId: "session-1" }
        )
      }).pipe(Effect.scoped, Effect.provide(project.layer()))
      const saw = (yield* server.requests).flatMap(({ headers }) => headers.get("x-saw") ?? [])
      assert.deepStrictEqual(saw, [
        "1 tools/list  my-server",
        "2 tools/call echo my-server",
        "3 prompts/get greeting my-server",
        "4 resources/read loopback://note my-server"
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("hooks run in order, each sees the changes of the one before, and may add, override and remove", () =>
    Effect.gen(function* () {
      const { server, project } = yield* scene({
        "first.mjs": hook(`output.headers["X-Order"] = "first"; output.headers["X-Static"] = "overridden"`),
        "second.mjs": hook(`output.headers["x-order"] += " second"; delete output.headers["x-other"]`)
      })
      yield* Effect.andThen(Project.approveAll, Project.callOnce("my-server")).pipe(Effect.provide(project.layer()))
      const [call] = Project.toolCalls(yield* server.requests)
      assert.strictEqual(call?.headers.get("x-order"), "first second")
      assert.strictEqual(call?.headers.get("x-static"), "overridden")
      assert.isUndefined(call?.headers.get("x-other"))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a plugin of a project is not loaded before it is approved", () =>
    Effect.gen(function* () {
      const { server, project } = yield* scene({ "plugin.mjs": `globalThis.loadedUnapproved28225 = true; ${PLUGIN}` })
      const error = yield* Effect.flip(Project.callOnce("my-server")).pipe(Effect.provide(project.layer()))
      assert.include(error.message, "was never approved")
      assert.isFalse("loadedUnapproved28225" in globalThis)
      assert.deepStrictEqual(Project.toolCalls(yield* server.requests), [])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
