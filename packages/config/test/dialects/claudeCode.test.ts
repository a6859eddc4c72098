import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"

layer(NodeServices.layer)("claudeCode", (it) => {
  it.effect("a .mcp.json as people have it becomes the same entry as the native form", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/.mcp.json", {
        mcpServers: {
          api: {
            type: "streamable-http",
            url: "https://${HOST:-mcp.example.com}/mcp",
            headers: { Authorization: "Bearer ${TOKEN}" },
            headersHelper: "./scripts/headers.sh",
            timeout: 600_000,
            alwaysLoad: true
          },
          old: { type: "sse", url: "https://old.example/sse" },
          files: { command: "npx", args: ["-y", "server"], env: { KEY: "${TOKEN}" } }
        }
      })
      const config = yield* folder.discover({}, { TOKEN: "t" })
      expect(config.warnings).toEqual([])
      expect(config.skipped).toEqual([])
      const api = yield* config.get("api")
      expect(api).toMatchObject({
        origin: { scope: "project", directory: folder.repository, workspace: folder.repository },
        endpoint: { type: "http", transport: "http" },
        helper: { command: "./scripts/headers.sh", timeout: 10_000 },
        connectTimeout: 30_000
      })
      expect((yield* config.get("old")).endpoint).toMatchObject({ transport: "sse" })
      expect((yield* config.get("files")).endpoint).toMatchObject({ type: "stdio", command: "npx" })
    })
  )

  it.effect("ws and wrong types skip their server by name; the others go on", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/.mcp.json",
        `{ "mcpServers": {
  "socket": { "type": "ws", "url": "wss://a" },
  "signed": { "url": "https://a", "oauth": { "clientId": "x", "callbackPort": 8080, "scopes": "a b", "authServerMetadataUrl": "https://m" } },
  "typed": { "url": "https://a", "headersHelper": ["a"] },
  "good": { "url": "https://a" }
} }`
      )
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["signed", "good"])
      expect((yield* config.get("signed")).oauth).toMatchObject({
        clientId: { source: "x" },
        callbackPort: 8080,
        scopes: ["a", "b"]
      })
      expect(ConfigFolder.warnings(config, folder.root)).toContainEqual(
        expect.stringContaining("(mcpServers.signed.oauth.authServerMetadataUrl): is ignored: where a server signs")
      )
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        'socket: repository/.mcp.json:2:23 (mcpServers.socket.type): expected "http", "sse" or "stdio"; WebSocket is not supported; use the server\'s HTTP endpoint if it has one',
        'typed: repository/.mcp.json:4:51 (mcpServers.typed.headersHelper): expected an object such as { "command": ["node", "./headers.js"], "timeout": 10000 }, or a command for the shell'
      ])
    })
  )

  it.effect("of ~/.claude.json only the servers are looked at", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("home/.claude.json", {
        numStartups: 5,
        trust: true,
        projects: { "/elsewhere": { mcpServers: { other: { url: "https://other" } } } },
        mcpServers: { mine: { url: "https://mine" } }
      })
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["mine"])
      expect(config.warnings).toEqual([])
      expect((yield* config.get("mine")).origin).toEqual({
        scope: "user",
        source: `${folder.home}/.claude.json`,
        directory: folder.home
      })
    })
  )
})
