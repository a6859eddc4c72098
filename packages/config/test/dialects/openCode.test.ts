import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ConfigFolder from "../ConfigFolder.ts"

/** As the request for a helper of headers proposes it, word for word. */
const HEADERS_HELPER = `"headersHelper": {
"command": ["node", "./scripts/mcp-headers.js"],
"environment": {
"PROFILE": "prod"
},
"timeout": 10000
}`

layer(NodeServices.layer)("openCode", (it) => {
  it.effect("version 1: remote and local servers, with the helper of the request", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/opencode.jsonc",
        `{ // what a person has
  "$schema": "https://opencode.ai/config.json", "model": "x/y", "theme": "z",
  "mcp": {
    "api": { "type": "remote", "url": "https://mcp.example.com/mcp", "enabled": true, "timeout": 5000,
      "headers": { "Authorization": "Bearer {env:TOKEN}", "X-Literal": "$\{TOKEN} $$" }, ${HEADERS_HELPER} },
    "keyed": { "type": "remote", "url": "https://b", "oauth": false },
    "files": { "type": "local", "command": ["npx", "-y", "server"], "environment": { "KEY": "{file:./key}" } }
  }
}`
      )
      const config = yield* folder.discover({}, { TOKEN: "t" })
      expect(config.warnings).toEqual([])
      expect(config.skipped).toEqual([])
      expect(yield* config.get("api")).toMatchObject({
        origin: { scope: "project", directory: folder.repository },
        endpoint: { type: "http", transport: "auto" },
        auth: "auto",
        connectTimeout: 5_000,
        headers: [
          {
            name: "Authorization",
            value: { parts: [{ text: "Bearer " }, { _tag: "Variable", name: "TOKEN" }] },
            place: { line: 5, column: 20, path: "mcp.api.headers.Authorization" }
          },
          { name: "X-Literal", value: { parts: [{ _tag: "Text", text: "${TOKEN} $$" }] } }
        ],
        helper: {
          command: ["node", "./scripts/mcp-headers.js"],
          environment: new Map([["PROFILE", { source: "prod", parts: [{ _tag: "Text", text: "prod" }] }]]),
          timeout: 10_000,
          retry: { times: 0, delay: 200 },
          cache: "never",
          onFailure: "fail"
        }
      })
      expect((yield* config.get("keyed")).auth).toBe("none")
      expect((yield* config.get("files")).endpoint).toEqual({
        type: "stdio",
        command: "npx",
        args: ["-y", "server"],
        env: new Map([["KEY", { source: "{file:./key}", parts: [{ _tag: "File", path: "./key" }] }]])
      })
    })
  )

  it.effect("version 2: servers of their own object, and a server called servers is none", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/opencode.json", {
        mcp: {
          timeout: 5000,
          servers: {
            a: { type: "remote", url: "https://a", timeout: { startup: 10, catalog: 5 } },
            b: { type: "local", command: ["b"], disabled: true }
          }
        }
      })
      const second = yield* folder.discover()
      expect([...second.servers.keys()]).toEqual(["a"])
      expect((yield* second.get("a")).connectTimeout).toBe(100)
      expect(ConfigFolder.skips(second, folder.root)).toEqual([
        expect.stringMatching(/^b: .*opencode\.json:\d+:\d+ \(mcp\.servers\.b\.disabled\): the entry is disabled here/)
      ])
      expect(second.warnings).toEqual([])
      yield* folder.write("repository/opencode.json", { mcp: { servers: { type: "remote", url: "https://a" } } })
      expect([...(yield* folder.discover()).servers.keys()]).toEqual(["servers"])
    })
  )

  it.effect("what is switched off, switched on alone or wrong is said by name, and the others go on", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/opencode.json",
        `{ "mcp": {
  "off": { "type": "remote", "url": "https://a", "enabled": false },
  "onlyOff": { "enabled": false },
  "onlyOn": { "enabled": true },
  "typeless": { "url": "https://a" },
  "worded": { "type": "local", "command": "npx server" },
  "through": { "type": "remote", "url": "https://a", "passthroughHeaders": ["x-a"] },
  "unset": { "type": "remote", "url": "https://a", "headers": { "X": "{env:NOWHERE}" } },
  "good": { "type": "remote", "url": "https://a", "oauth": { "clientId": "c" }, "colour": 5 }
} }`
      )
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["good"])
      expect((yield* config.get("good")).oauth?.clientId?.source).toBe("c")
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        "off: repository/opencode.json:2:50 (mcp.off.enabled): the entry is disabled here; enable it to use it",
        "onlyOff: repository/opencode.json:3:16 (mcp.onlyOff.enabled): the entry is disabled here; enable it to use it",
        'typeless: repository/opencode.json:5:15 (mcp.typeless.type): expected "remote" or "local"',
        'worded: repository/opencode.json:6:43 (mcp.worded.command): expected a list of strings such as ["npx", "-y", "server"]',
        'through: repository/opencode.json:7:54 (mcp.through.passthroughHeaders): expected no "passthroughHeaders": this form has no such key, and without it headers would be missing; write this entry into a letterhead.json, or remove the key',
        "unset: repository/opencode.json:8:70 (mcp.unset.headers.X): the environment variable NOWHERE is not set; set it, or give a default: ${NOWHERE:-…}"
      ])
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        'repository/opencode.json:4:3 (mcp.onlyOn): "onlyOn" is only switched on here, and entries are not merged: write the whole entry, or remove it',
        'repository/opencode.json:9:81 (mcp.good.colour): unknown key "colour" is ignored; remove it'
      ])
    })
  )

  it.effect("plugins that are local files are hooks that may lack the key; packages and folders are left alone", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/plugins/a.js", "export default {}")
      yield* fs.makeDirectory(`${folder.repository}/plugins/package`)
      const plugin = ["./plugins/a.js", "opencode-wakatime", ["./plugins/a.js", { b: 1 }], "./plugins/package"]
      yield* folder.write("repository/opencode.json", {
        plugin: [...plugin, `file://${folder.repository}/plugins/a.js`, "./missing.js"],
        mcp: { a: { type: "remote", url: "https://a" } }
      })
      const config = yield* folder.discover()
      const hooks = (yield* config.get("a")).hooks
      expect(hooks.map(({ optional, path }) => [optional, path.replace(folder.repository, "")])).toEqual([
        [true, "/plugins/a.js"],
        [true, "/plugins/a.js"],
        [true, "/plugins/a.js"],
        [true, "/missing.js"]
      ])
      expect(config.warnings.map(({ message, place }) => [place.path, message.replace(folder.root, "")])).toEqual([
        ["plugin[1]", 'the plugin "opencode-wakatime" is no local file, and is left alone'],
        ["plugin[3]", "the plugin /repository/plugins/package is a folder, and is left alone"],
        [
          "plugin[5]",
          "the hook /repository/missing.js does not exist, and calls will fail; create it, or remove it here"
        ]
      ])
    })
  )

  it.effect("the person's own file lies where programs keep their configuration", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const own = { mcp: { mine: { type: "remote", url: "https://mine" } } }
      yield* folder.write("home/.config/opencode/opencode.json", own)
      expect((yield* (yield* folder.discover()).get("mine")).origin).toEqual({
        scope: "user",
        source: `${folder.home}/.config/opencode/opencode.json`,
        directory: `${folder.home}/.config/opencode`
      })
      yield* folder.write("xdg/opencode/opencode.jsonc", own)
      const elsewhere = yield* folder.discover({ programsDirectory: `${folder.root}/xdg` })
      expect((yield* elsewhere.get("mine")).origin.source).toBe(`${folder.root}/xdg/opencode/opencode.jsonc`)
    })
  )

  it.effect("how to sign in is read as it is written there", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/opencode.json", {
        mcp: {
          a: {
            type: "remote",
            url: "https://a",
            oauth: { clientId: "{env:ID}", clientSecret: "s", scope: "tools:read tools:run", redirectUri: REDIRECT }
          },
          b: { type: "remote", url: "https://b", oauth: { scope: 'not"a scope' } }
        }
      })
      const config = yield* folder.discover({}, { ID: "id" })
      expect((yield* config.get("a")).oauth).toMatchObject({
        clientId: { parts: [{ _tag: "Variable", name: "ID" }] },
        scopes: ["tools:read", "tools:run"],
        callbackPort: 19876
      })
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        expect.stringContaining(
          "(mcp.a.oauth.redirectUri): only the port counts: a sign-in ends at http://127.0.0.1:19876/"
        )
      ])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        expect.stringContaining("(mcp.b.oauth.scope): expected a scope")
      ])
    })
  )
})

const REDIRECT = "http://127.0.0.1:19876/mcp/oauth/callback"
