import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import { Environment } from "@letterhead/core/server/Environment"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { stringify } from "yaml"
import * as ConfigLayer from "../src/ConfigLayer.ts"
import { claudeCode } from "../src/dialects/claudeCode.ts"
import { native } from "../src/dialects/native.ts"
import * as JsonDocument from "../src/JsonDocument.ts"
import * as YamlDocument from "../src/YamlDocument.ts"
import * as ConfigFolder from "./ConfigFolder.ts"
import { RoughDocument, Name, GoodEntry } from "./roughDocument.ts"

const RUNS = 1_000
const CANARY = "canary-5a1e"

const withoutPlaces = (entry: ServerEntry) =>
  JSON.stringify(entry, (key, value: unknown) => {
    if (key === "place" || key === "origin") return undefined
    return value instanceof Map ? [...value] : value
  })

layer(NodeServices.layer)("ConfigLayer", (it) => {
  it.effect("bad configuration: each mistake has its own message, and the other servers still work", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/a/letterhead.json", '{ "mcpServers": { "lost": { "url": "https://a" }')
      yield* folder.write("repository/a/letterhead.yaml", "mcpServers:\n  lost: [\n")
      yield* folder.write(
        "repository/letterhead.yaml",
        `mcpServers:
  typed: { url: https://a, timeout: soon }
  unset: { url: https://a, headers: { X: "\${NOWHERE}" } }
  neither: {}
  both: { url: https://a, command: x }
  works: { url: https://a, hedaers: {} }
`
      )
      yield* folder.write(".mcp.json", { mcpServers: { above: { url: "https://a" } } })
      yield* folder.write("home/.claude.json", { mcpServers: { mine: { url: "https://a" } } })
      const config = yield* folder.discover({ cwd: `${folder.repository}/a` })
      expect([...config.servers.keys()].toSorted()).toEqual(["mine", "works"])
      expect(config.failed.map(({ reason }) => reason.message.replace(`${folder.root}/`, ""))).toEqual([
        'repository/a/letterhead.json:1:49: not valid JSON: "}" is missing; close the object',
        expect.stringMatching(/^repository\/a\/letterhead\.yaml:3:1: not valid YAML: .+; .+/)
      ])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        "typed: repository/letterhead.yaml:2:37 (mcpServers.typed.timeout): expected a whole number of milliseconds from 100 to 600000",
        "unset: repository/letterhead.yaml:3:42 (mcpServers.unset.headers.X): the environment variable NOWHERE is not set; set it, or give a default: ${NOWHERE:-…}",
        'neither: repository/letterhead.yaml:4:3 (mcpServers.neither): expected "url" or "command"; add the URL of the server, or the program that is the server',
        'both: repository/letterhead.yaml:5:27 (mcpServers.both.command): expected "url" or "command", and not both; keep the one that is meant and remove the other'
      ])
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        'repository/letterhead.yaml:6:28 (mcpServers.works.hedaers): unknown key "hedaers" is ignored; did you mean "headers"?'
      ])
      expect((yield* Effect.flip(config.get("typed"))).reason._tag).toBe("ServerSkipped")
      expect((yield* Effect.flip(config.get("nobody"))).reason._tag).toBe("ServerUnknown")
    })
  )

  it.effect("a file that is named must be there and be readable", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/broken.yaml", "mcpServers: [")
      yield* folder.write("repository/list.json", "[]")
      yield* folder.write("repository/typed.json", '{ "mcpServers": 5 }')
      const failure = (name: string) =>
        Effect.map(Effect.flip(folder.file(name)), (error) => error.message.replace(`${folder.root}/`, ""))
      expect(yield* failure("missing.json")).toBe(
        "repository/missing.json: does not exist; check the path, which starts from the working directory"
      )
      expect(yield* failure(".git")).toBe("repository/.git: is a folder; name a file in it")
      expect(yield* failure("broken.yaml")).toMatch(/^repository\/broken\.yaml:1:\d+: not valid YAML: /)
      expect(yield* failure("list.json")).toBe('repository/list.json:1:1: expected an object with "mcpServers"')
      expect(yield* failure("typed.json")).toBe(
        "repository/typed.json:1:17 (mcpServers): expected an object of servers by name; write {} if there are none"
      )
      const remote = yield* failure(`https://user:${CANARY}@example.com/config`)
      expect(remote).toContain("https://: is a URL, not a file")
      expect(remote).not.toContain(CANARY)
    })
  )

  it.effect("a file that is named .mcp.json is read as Claude Code's, and any other as the native form", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const content = { mcpServers: { a: { url: "https://a", headers: { X: "$$" } } } }
      yield* folder.write("repository/.mcp.json", content)
      yield* folder.write("repository/servers.json", content)
      const text = (name: string) =>
        Effect.map(
          Effect.flatMap(folder.file(name), (config) => config.get("a")),
          (entry) => entry.headers[0]?.value.parts
        )
      expect(yield* text(".mcp.json")).toEqual([{ _tag: "Text", text: "$$" }])
      expect(yield* text("servers.json")).toEqual([{ _tag: "Text", text: "$" }])
    })
  )

  it.effect("entries from code are decoded by the same schema, and their places name their origin", () =>
    Effect.gen(function* () {
      const config = yield* McpConfig.McpConfig.pipe(
        Effect.provide(
          ConfigLayer.values(
            { good: { url: "https://a", headers: { X: "${SET}" } }, bad: { url: 5 }, unset: { url: "${UNSET}" } },
            { origin: { scope: "user", source: "my program" } }
          )
        ),
        Effect.provideService(Environment, { SET: "x" })
      )
      expect((yield* config.get("good")).headers[0]?.place).toEqual({
        file: "my program",
        path: "mcpServers.good.headers.X"
      })
      expect(config.skipped.map(({ reason }) => reason.message)).toEqual([
        "my program (mcpServers.bad.url): expected a string with a URL; put it in double quotes",
        "my program (mcpServers.unset.url): the environment variable UNSET is not set; set it, or give a default: ${UNSET:-…}"
      ])
    })
  )

  it.effect("hooks from code need an absolute path where there is no folder", () =>
    Effect.gen(function* () {
      const entries = { a: { url: "https://a" } }
      const load = (hook: string) =>
        McpConfig.McpConfig.pipe(
          Effect.provide(ConfigLayer.values(entries, { origin: { scope: "user", source: "program" }, hooks: [hook] }))
        )
      expect((yield* Effect.flip(load("./hook.js"))).message).toBe(
        "program (hooks[0]): expected an absolute path, because this configuration lies in no folder"
      )
      expect(
        (yield* Effect.flatMap(load("/hooks/a.js"), (config) => config.get("a"))).hooks.map(({ path }) => path)
      ).toEqual(["/hooks/a.js"])
    })
  )

  it.effect("F50: no value of a configuration or of a variable is in any message", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const bad = [
        { url: CANARY },
        { url: { [CANARY.slice(0, 3)]: CANARY } },
        { url: `https://${CANARY}@x` },
        { url: "https://a", headers: { X: `${CANARY}\n` } },
        { url: "https://a", headers: { X: "${SECRET}" } },
        { url: "https://a", headers: { X: `\${${CANARY}` } },
        { url: "https://a", headers: CANARY },
        { url: "https://a", type: CANARY },
        { url: "https://a", auth: CANARY },
        { url: "https://a", timeout: CANARY },
        { url: "https://a", headersHelper: { command: ["x"], cache: CANARY } },
        { url: "https://a", headersHelper: { command: ["x"], environment: [CANARY] } },
        { command: "x", env: { A: [CANARY] } },
        { url: "https://a", unknown: CANARY }
      ]
      const mcpServers = Object.fromEntries(bad.map((entry, index) => [`s${index}`, entry]))
      yield* folder.write("repository/letterhead.json", { mcpServers, credentials: CANARY })
      yield* folder.write("repository/.mcp.json", `{ "mcpServers": { "x": ${CANARY} } }`)
      yield* folder.write("home/.config/letterhead/letterhead.yaml", `mcpServers: *${CANARY}`)
      const config = yield* folder.discover({}, { SECRET: `${CANARY}\r\n` })
      expect(config.skipped.length).toBe(bad.length - 1)
      expect(config.failed.length).toBe(2)
      const said = [config.skipped, config.failed, config.warnings, config.shadowed].flat()
      expect(JSON.stringify(said)).not.toContain(CANARY)
      for (const { reason } of [...config.skipped, ...config.failed]) {
        expect(`${reason.message}\n${String(reason.stack)}`).not.toContain(CANARY)
      }
    })
  )

  it.effect.prop(
    "any document gives servers or typed problems, and never crashes",
    { document: RoughDocument },
    ({ document }) =>
      Effect.gen(function* () {
        const path = yield* Path.Path
        const parsed = Result.getOrThrow(JsonDocument.parse("/f.json", JSON.stringify(document)))
        for (const dialect of [native, claudeCode]) {
          const decoded = dialect.decode(parsed, {
            origin: { scope: "project", source: "/f.json", directory: "/" },
            environment: { SET: "set" },
            path
          })
          if (Result.isFailure(decoded)) {
            expect(decoded.failure.message).toMatch(/^\/f\.json:1:\d+/)
            continue
          }
          const names = parsed.keys(["mcpServers"])
          expect(decoded.success.servers.length).toBe(names.length)
          for (const server of decoded.success.servers) {
            expect(server.place.line).toBe(1)
            if (server._tag === "Skipped") expect(server.reason.message).toMatch(/^\/f\.json:1:\d+ \(mcpServers/)
            else expect(server.entry.name).toBe(server.name)
          }
        }
      }),
    { arbitrary: { runs: RUNS } }
  )

  it.effect.prop(
    "JSON and YAML renderings of the same entry decode to the same entry",
    { name: Name, entry: GoodEntry },
    ({ name, entry }) =>
      Effect.gen(function* () {
        const path = yield* Path.Path
        // A computed key, so that __proto__ is a key of its own.
        const value = { mcpServers: { [name]: entry } }
        const decode = (parsed: typeof JsonDocument.parse, text: string) =>
          Result.getOrThrow(
            Result.flatMap(parsed("/f", text), (document) =>
              native.decode(document, {
                origin: { scope: "user", source: "/f", directory: "/" },
                environment: { SET: "set.example" },
                path
              })
            )
          ).servers.map((server) => (server._tag === "Read" ? withoutPlaces(server.entry) : server.reason.message))
        const fromJson = decode(JsonDocument.parse, JSON.stringify(value))
        expect(fromJson.length).toBe(1)
        expect(fromJson[0]).toContain('"endpoint"')
        expect(decode(YamlDocument.parse, stringify(value, { version: "1.2" }))).toEqual(fromJson)
        expect(decode(YamlDocument.parse, JSON.stringify(value))).toEqual(fromJson)
      }),
    { arbitrary: { runs: RUNS } }
  )

  it.effect.prop(
    "any text is a document or a sentence with a place, in JSON and in YAML",
    {
      text: Schema.String,
      fragments: Schema.Array(
        Schema.Literals([
          "{",
          "}",
          "[",
          "]",
          ":",
          ",",
          '"',
          "'",
          "\n",
          "\t",
          " ",
          "- ",
          "#",
          "//",
          "/*",
          "&a",
          "*a",
          "!",
          "|",
          ">",
          "a",
          "1",
          "\\",
          "\u0000",
          "---",
          "%",
          "?"
        ])
      )
    },
    ({ text, fragments }) =>
      Effect.sync(() => {
        for (const parse of [JsonDocument.parse, YamlDocument.parse]) {
          for (const source of [text, fragments.join("")]) {
            const parsed = parse("f", source)
            if (Result.isFailure(parsed)) expect(parsed.failure.message).toMatch(/^f:\d+:\d+: /)
            else expect(parsed.success.place([]).line).toBeGreaterThan(0)
          }
        }
      }),
    { arbitrary: { runs: RUNS } }
  )
})
