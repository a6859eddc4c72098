/** ToolHive, "selected incoming headers forwarded transparently" by its virtual MCP server. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { fromRequest } from "@letterhead/core/call/CallContext"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Project from "./Project.ts"

/** Verbatim, with the indentation that the page lost. */
const SNIPPET = `
outgoingAuth:
  type: header_passthrough
  headerPassthrough:
    headers:
      - x-mcp-api-key
      - x-mcp-auth
`

const incoming = (headers: Readonly<Record<string, string>>, allowlist = Object.keys(headers)) =>
  fromRequest(allowlist)(new Request("http://127.0.0.1/", { headers }))

describe("ToolHive: header_passthrough", () => {
  it.live("each user's listed headers reach every backend, and an unlisted one is dropped", () =>
    Effect.gen(function* () {
      const first = yield* LoopbackServer.make({ era: "both" })
      const second = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make({
        "vmcp.yaml": `backends:
  - { name: first, url: "${first.url}", transport: streamable-http }
  - { name: second, url: "${second.url}", transport: streamable-http }
${SNIPPET}`
      })
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        for (const user of ["ada", "bob"]) {
          for (const backend of ["first", "second"]) {
            yield* Project.callOnce(backend, {
              principal: user,
              ...incoming({ X_MCP_API_KEY: `key of ${user}`, "x-mcp-auth": `auth of ${user}`, "x-unlisted": "no" })
            })
          }
        }
      }).pipe(Effect.provide(project.layer({ configFile: join(project.directory, "vmcp.yaml") })))

      for (const backend of [first, second]) {
        const requests = yield* backend.requests
        const calls = Project.toolCalls(requests)
        assert.deepStrictEqual(
          calls.map(({ headers }) => [headers.get("x-mcp-api-key"), headers.get("x-mcp-auth")]),
          [
            ["key of ada", "auth of ada"],
            ["key of bob", "auth of bob"]
          ]
        )
        assert.isTrue(requests.every(({ headers }) => !headers.has("x-unlisted")))
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a value with a line break is refused, and nothing is sent", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make({
        "vmcp.yaml": `backends:\n  - { name: only, url: "${server.url}", transport: streamable-http }\n${SNIPPET}`
      })
      // No HTTP library lets such a value in; a runtime that fills the context by hand could.
      const forged = fromRequest(["x-mcp-auth"])({ rawHeaders: ["x-mcp-auth", "canary\r\nX-Injected: secret"] })
      const error = yield* Effect.flip(Effect.andThen(Project.approveAll, Project.callOnce("only", forged))).pipe(
        Effect.provide(project.layer({ configFile: join(project.directory, "vmcp.yaml") }))
      )
      assert.include(error.message, "a value has no line break")
      assert.notInclude(error.message, "canary")
      assert.deepStrictEqual(yield* server.requests, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("nothing of a project's file is forwarded before it is approved", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make({
        "vmcp.yaml": `backends:\n  - { name: only, url: "${server.url}", transport: streamable-http }\n${SNIPPET}`
      })
      const error = yield* Effect.flip(Project.callOnce("only", incoming({ "x-mcp-auth": "canary" }))).pipe(
        Effect.provide(project.layer({ configFile: join(project.directory, "vmcp.yaml") }))
      )
      assert.include(error.message, "was never approved")
      assert.deepStrictEqual(yield* server.requests, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("the form that shipped, passthroughHeaders, stands beside header_injection", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make({
        "vmcp.yaml": `backends:
  - { name: only, url: "${server.url}", transport: streamable-http }
passthroughHeaders: [x-mcp-api-key]
outgoingAuth:
  backends:
    only:
      type: header_injection
      headerInjection: { headerName: X-Injected, headerValue: injected }
`
      })
      yield* Effect.andThen(
        Project.approveAll,
        Project.callOnce("only", incoming({ "x-mcp-api-key": "key of ada" }))
      ).pipe(Effect.provide(project.layer({ configFile: join(project.directory, "vmcp.yaml") })))
      const [call] = Project.toolCalls(yield* server.requests)
      assert.strictEqual(call?.headers.get("x-mcp-api-key"), "key of ada")
      assert.strictEqual(call?.headers.get("x-injected"), "injected")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
