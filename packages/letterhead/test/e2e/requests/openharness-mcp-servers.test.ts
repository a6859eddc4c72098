/** OpenHarness, `.oh/config.yaml`: the parts that concern headers. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import * as Project from "./Project.ts"

/** Verbatim, with the indentation that the page lost. */
const STDIO = `
mcpServers:
  - name: filesystem
    command: mcp-server-fs
    args: [--root, /tmp]
    env: { LOG_LEVEL: debug }
`
const HTTP = `
mcpServers:
  - name: linear
    type: http
    url: https://mcp.linear.app/mcp
    headers:
      Authorization: "Bearer \${LINEAR_API_KEY}"
`
const SSE = `
mcpServers:
  - name: self-hosted
    type: sse
    url: https://mcp.internal.example.com/sse
    headers:
      X-API-Key: "\${INTERNAL_KEY}"
`
const STORAGE = `
credentials:
  storage: filesystem # default: "auto" (keychain if available)
`

const FILE = ".oh/config.yaml"

describe("OpenHarness: mcpServers", () => {
  it.live("stdio: the program that the snippet names is started as it says, once it is approved, and called", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const project = yield* Project.make({ [FILE]: STDIO })
      const fixture = yield* StdioServerFixture.make({}, { directory: project.directory })
      // The person has installed mcp-server-fs.
      const bin = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFileString(
        join(bin, "mcp-server-fs"),
        `#!/bin/sh\nexec '${fixture.command}' '${fixture.args.join("' '")}' "$@"\n`
      )
      yield* fs.chmod(join(bin, "mcp-server-fs"), 0o755)
      yield* Effect.gen(function* () {
        const refused = yield* Effect.flip(Project.callOnce("filesystem"))
        assert.include(refused.message, "was never approved")
        assert.include(refused.message, `server runs: ${join(bin, "mcp-server-fs")} --root /tmp`)
        assert.strictEqual(yield* fixture.starts, 0)
        yield* Project.approveAll
        const { content } = yield* Effect.scoped(
          Effect.flatMap((yield* McpTransport).connect("filesystem"), (connection) =>
            connection.callTool("environment")
          )
        )
        assert.include(JSON.stringify(content), '\\"LOG_LEVEL\\":\\"debug\\"')
        assert.include(JSON.stringify(content), '\\"arguments\\":[\\"--root\\",\\"/tmp\\"]')
      }).pipe(Effect.provide(project.layer({ environment: { HOME: project.directory, PATH: `${bin}:/usr/bin:/bin` } })))
      assert.deepStrictEqual(yield* fixture.alive, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a static bearer token from the environment is sent, once it is approved", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make(
        { [FILE]: HTTP.replace("https://mcp.linear.app/mcp", server.url) },
        { LINEAR_API_KEY: "lin_api_canary" }
      )
      yield* Effect.gen(function* () {
        assert.include((yield* Effect.flip(Project.callOnce("linear"))).message, "was never approved")
        assert.deepStrictEqual(yield* server.requests, [])
        yield* Project.approveAll
        yield* Project.callOnce("linear")
      }).pipe(Effect.provide(project.layer()))
      for (const { headers } of yield* server.requests) {
        assert.strictEqual(headers.get("authorization"), "Bearer lin_api_canary")
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("sse: a legacy server is called with the key of the snippet on its stream and on each message", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const project = yield* Project.make(
        { [FILE]: SSE.replace("https://mcp.internal.example.com/sse", server.url) },
        { INTERNAL_KEY: "internal_canary" }
      )
      yield* Effect.andThen(Project.approveAll, Project.callOnce("self-hosted")).pipe(Effect.provide(project.layer()))
      const requests = yield* server.requests
      assert.deepStrictEqual(
        requests.map(({ httpMethod, rpcMethod }) => rpcMethod ?? httpMethod),
        ["GET", "initialize", "notifications/initialized", "tools/call"]
      )
      assert.isTrue(requests.every(({ headers }) => headers.get("x-api-key") === "internal_canary"))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("auto-fallback: a url without a type reaches a legacy server on a 4xx; with type http it does not", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make({ streamable: 404 })
      const untyped = SSE.replace("https://mcp.internal.example.com/sse", server.url).replace("    type: sse\n", "")
      const typed = untyped.replace("    url:", "    type: http\n    url:").replace("self-hosted", "explicit")
      const project = yield* Project.make(
        { [FILE]: untyped + typed.replace("\nmcpServers:\n", "") },
        { INTERNAL_KEY: "internal_canary" }
      )
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        yield* Project.callOnce("self-hosted")
        const requests = yield* server.requests
        assert.deepStrictEqual(
          requests.map(({ httpMethod, rpcMethod }) => rpcMethod ?? httpMethod),
          ["server/discover", "initialize", "GET", "initialize", "notifications/initialized", "tools/call"]
        )
        assert.isTrue(requests.every(({ headers }) => headers.get("x-api-key") === "internal_canary"))
        yield* server.clear
        const error = yield* Effect.flip(Project.callOnce("explicit"))
        assert.deepInclude(error.reason, { _tag: "HttpFailed", status: 404 })
        assert.isFalse((yield* server.requests).some(({ httpMethod }) => httpMethod === "GET"))
      }).pipe(Effect.provide(project.layer()))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a variable that is not set skips that server with a warning, and the others go on", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const project = yield* Project.make({
        [FILE]: `${HTTP}  - name: plain\n    type: http\n    url: ${server.url}\n`
      })
      yield* Effect.gen(function* () {
        const config = yield* McpConfig
        assert.deepStrictEqual([...config.servers.keys()], ["plain"])
        assert.strictEqual(config.skipped[0]?.name, "linear")
        assert.include(config.skipped[0]?.reason.message, "LINEAR_API_KEY")
        yield* Project.callOnce("plain")
      }).pipe(Effect.provide(project.layer()))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a 401 to a static bearer token is an error: OAuth is not attempted", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both", accept: () => 401 })
      const project = yield* Project.make(
        { [FILE]: HTTP.replace("https://mcp.linear.app/mcp", server.url) },
        { LINEAR_API_KEY: "lin_api_canary" }
      )
      const error = yield* Effect.flip(Effect.andThen(Project.approveAll, Project.callOnce("linear"))).pipe(
        Effect.provide(project.layer())
      )
      assert.strictEqual(error.reason._tag, "Unauthorized")
      assert.include(error.message, "static")
      assert.notInclude(error.message, "lin_api_canary")
      assert.isTrue((yield* server.requests).every(({ path }) => path === "/mcp"))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("each transport is read as it is meant; type defaults to stdio when command is set", () =>
    Effect.gen(function* () {
      const servers = [STDIO, HTTP, SSE].map((text) => text.replace("\nmcpServers:\n", "")).join("")
      const project = yield* Project.make(
        { [FILE]: `mcpServers:\n${servers}  - { name: either, url: "https://mcp.example.com/mcp" }\n${STORAGE}` },
        { LINEAR_API_KEY: "one", INTERNAL_KEY: "two" }
      )
      const config = yield* Effect.provide(McpConfig, project.layer())
      const endpoints = Object.fromEntries(
        [...config.servers].map(([name, { endpoint }]) => [
          name,
          endpoint.type === "stdio" ? [endpoint.command, ...endpoint.args] : endpoint.transport
        ])
      )
      assert.deepStrictEqual(endpoints, {
        filesystem: ["mcp-server-fs", "--root", "/tmp"],
        linear: "http",
        "self-hosted": "sse",
        either: "auto"
      })
      assert.strictEqual(config.credentialStorage, "filesystem")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
