/** OpenCode 27161, "native support for dynamic authentication headers for remote MCP servers". */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { createServer } from "node:http"
import { join } from "node:path"
import * as Project from "./Project.ts"

/** Verbatim. */
const SNIPPET = `
{
"headersHelper": {
"command": ["node", "./scripts/mcp-headers.js"],
"environment": {
"PROFILE": "prod"
},
"timeout": 10000
}
}
`

/** Counts its runs beside itself; a token of its own for each. */
const SCRIPT = `
const fs = require("node:fs")
fs.appendFileSync(__filename.replace(/[^/]*$/, "../runs"), "run\\n")
const runs = fs.readFileSync(__filename.replace(/[^/]*$/, "../runs"), "utf8").split("\\n").length - 1
console.log(JSON.stringify({ Authorization: "Bearer token-" + runs, "X-Profile": process.env.PROFILE }))
`

const scene = Effect.fnUntraced(function* (script = SCRIPT) {
  const server = yield* LoopbackServer.make({ era: "both" })
  const project = yield* Project.make({
    "opencode.json": JSON.stringify({
      mcp: {
        acme: {
          type: "remote",
          url: server.url,
          headers: { Authorization: "Bearer static", "X-Static": "static" },
          ...JSON.parse(SNIPPET)
        }
      }
    }),
    "scripts/mcp-headers.js": script
  })
  const fs = yield* FileSystem.FileSystem
  const runs = fs.readFileString(join(project.directory, "runs")).pipe(
    Effect.map((text) => text.split("\n").length - 1),
    Effect.orElseSucceed(() => 0)
  )
  return { server, project, runs }
})

describe("OpenCode 27161: headersHelper", () => {
  it.live("a project-local helper is not executed before it is approved", () =>
    Effect.gen(function* () {
      const { server, project, runs } = yield* scene()
      const error = yield* Effect.flip(Project.callOnce("acme")).pipe(Effect.provide(project.layer()))
      assert.strictEqual(error.reason._tag, "HeadersFailed")
      assert.include(error.message, "was never approved")
      assert.strictEqual(yield* runs, 0)
      assert.deepStrictEqual(yield* server.requests, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("it runs on connect and on reconnect, with its environment, and its headers override static ones", () =>
    Effect.gen(function* () {
      const { server, project, runs } = yield* scene()
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* (yield* McpTransport).connect("acme")
            for (let call = 0; call < 3; call++) yield* connection.callTool("echo", {})
          })
        )
        assert.strictEqual(yield* runs, 1)
        // No caching in v1.
        yield* Project.callOnce("acme")
        assert.strictEqual(yield* runs, 2)
      }).pipe(Effect.provide(project.layer()))

      const requests = yield* server.requests
      const [first, , , again] = Project.toolCalls(requests)
      assert.strictEqual(first?.headers.get("authorization"), "Bearer token-1")
      assert.strictEqual(again?.headers.get("authorization"), "Bearer token-2")
      for (const { headers } of requests) {
        assert.strictEqual(headers.get("x-profile"), "prod")
        assert.strictEqual(headers.get("x-static"), "static")
        assert.notInclude(headers.get("authorization"), "static")
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("its standard output must be a JSON object of string headers", () =>
    Effect.gen(function* () {
      for (const output of ["[]", '{"X-Count": 1}', "not json"]) {
        const { server, project } = yield* scene(`process.stdout.write(${JSON.stringify(output)})`)
        const error = yield* Effect.flip(Effect.andThen(Project.approveAll, Project.callOnce("acme"))).pipe(
          Effect.provide(project.layer())
        )
        assert.match(error.message, /source helper: the helper's output is not/)
        assert.deepStrictEqual(yield* server.requests, [])
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a helper of a remote configuration at /.well-known/opencode needs approval too, and then runs", () =>
    Effect.gen(function* () {
      const { server, project, runs } = yield* scene()
      const script = join(project.directory, "scripts/mcp-headers.js")
      const helper = JSON.parse(SNIPPET.replace("./scripts/mcp-headers.js", script))
      const url = yield* serve(
        "/.well-known/opencode",
        JSON.stringify({ config: { mcp: { acme: { type: "remote", url: server.url, ...helper } } } })
      )
      yield* Effect.gen(function* () {
        const entry = yield* (yield* McpConfig).get("acme")
        assert.strictEqual(entry.origin.scope, "remote")
        assert.include((yield* Effect.flip(Project.callOnce("acme"))).message, "was never approved")
        assert.strictEqual(yield* runs, 0)
        yield* Project.approveAll
        yield* Project.callOnce("acme")
        assert.strictEqual(yield* runs, 1)
      }).pipe(Effect.provide(project.layer({ configFile: url })))
      assert.strictEqual(Project.toolCalls(yield* server.requests)[0]?.headers.get("authorization"), "Bearer token-1")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

/** Serves one document on this machine until the scope closes; gives its URL. */
const serve = (path: string, text: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly close: () => void; readonly url: string }>((resume) => {
      const server = createServer((request, response) => {
        response.writeHead(request.url === path ? 200 : 404, { "content-type": "application/json" })
        response.end(request.url === path ? text : "{}")
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ close: () => server.close(), url: `http://127.0.0.1:${port}${path}` }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ url }) => url))
