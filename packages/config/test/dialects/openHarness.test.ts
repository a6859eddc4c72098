import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"

layer(NodeServices.layer)("openHarness", (it) => {
  it.effect("all transports, variables, auth and storage, as its documentation has them", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/.oh/config.yaml",
        `provider: anthropic
permissionMode: trust
mcpServers:
  - name: filesystem
    command: mcp-server-fs
    args: [--root, /tmp]
    env: { LOG_LEVEL: debug }
    riskLevel: low
  - name: linear
    type: http
    url: https://mcp.linear.app/mcp
    headers:
      Authorization: "Bearer \${LINEAR_API_KEY}"
  - name: self-hosted
    type: sse
    url: https://mcp.internal.example.com/sse
    headers:
      X-API-Key: "\${INTERNAL_KEY}"
  - name: guessed
    url: https://guess.example.com
    auth: none
  - name: forced
    type: http
    url: https://mcp.linear.app/mcp
    auth: oauth
credentials:
  storage: filesystem
`
      )
      const config = yield* folder.discover({}, { LINEAR_API_KEY: "k" })
      expect(config.warnings).toEqual([])
      expect(config.credentialStorage).toBe("filesystem")
      expect((yield* config.get("filesystem")).endpoint).toEqual({
        type: "stdio",
        command: "mcp-server-fs",
        args: ["--root", "/tmp"],
        env: new Map([["LOG_LEVEL", { source: "debug", parts: [{ _tag: "Text", text: "debug" }] }]])
      })
      expect(yield* config.get("linear")).toMatchObject({
        origin: { scope: "project", directory: `${folder.repository}/.oh`, workspace: folder.repository },
        endpoint: { transport: "http" },
        auth: "auto",
        headers: [
          {
            name: "Authorization",
            value: { parts: [{ text: "Bearer " }, { _tag: "Variable", name: "LINEAR_API_KEY" }] },
            place: { line: 13, column: 7, path: "mcpServers[1].headers.Authorization" }
          }
        ]
      })
      expect((yield* config.get("forced")).auth).toBe("oauth")
      expect(yield* config.get("guessed")).toMatchObject({ endpoint: { transport: "auto" }, auth: "none" })
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        "self-hosted: repository/.oh/config.yaml:18:18 (mcpServers[2].headers.X-API-Key): the environment variable INTERNAL_KEY is not set; set it, or give a default: ${INTERNAL_KEY:-…}"
      ])
    })
  )

  it.effect("the local file counts first, entry by entry", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/.oh/config.yaml",
        "mcpServers: [{ name: a, url: https://shared }, { name: b, url: https://b }]"
      )
      yield* folder.write("repository/.oh/config.local.yaml", "mcpServers: [{ name: a, url: https://local }]")
      const config = yield* folder.discover()
      expect((yield* config.get("a")).endpoint).toMatchObject({ url: { source: "https://local" } })
      expect((yield* config.get("b")).endpoint).toMatchObject({ url: { source: "https://b" } })
      expect(config.shadowed.map(({ name }) => name)).toEqual(["a"])
    })
  )

  it.effect("an item without a name, and names that are used twice, are nobody's; the others go on", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/.oh/config.yaml",
        `mcpServers:
  - url: https://a
  - { name: twin, url: https://a }
  - 5
  - { name: good, url: https://a, hedaers: {} }
  - { name: twin, url: https://b }
  - { name: good2, url: https://a, type: stdio }
`
      )
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["good"])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        'good2: repository/.oh/config.yaml:7:20 (mcpServers[5].url): expected "command" instead of "url", because "type" is "stdio"; remove "type", or name a program',
        `twin: repository/.oh/config.yaml:6:13 (mcpServers[4].name): expected a name of its own for each server; rename this one or the one at ${folder.repository}/.oh/config.yaml:3:13 (mcpServers[1].name)`.replaceAll(
          `${folder.root}/`,
          ""
        ),
        'mcpServers[0]: repository/.oh/config.yaml:2:5 (mcpServers[0].name): expected an object with a "name"; name the server',
        'mcpServers[2]: repository/.oh/config.yaml:4:5 (mcpServers[2].name): expected an object with a "name"; name the server'
      ])
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        'repository/.oh/config.yaml:5:35 (mcpServers[3].hedaers): unknown key "hedaers" is ignored; did you mean "headers"?'
      ])
    })
  )

  it.effect("where the person's own file says where secrets are kept, a project's does not count", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/.oh/config.yaml", "credentials: { storage: filesystem }")
      expect((yield* folder.discover()).credentialStorage).toBe("filesystem")
      yield* folder.write("home/.config/letterhead/letterhead.yaml", "credentials: { storage: auto }")
      expect((yield* folder.discover()).credentialStorage).toBe("auto")
      yield* folder.write("repository/.oh/config.yaml", "credentials: { storage: elsewhere }")
      expect(ConfigFolder.warnings(yield* folder.discover(), folder.root)[0]).toBe(
        'repository/.oh/config.yaml:1:25 (credentials.storage): "credentials": expected "auto" or "filesystem"; ignored'
      )
    })
  )
})
