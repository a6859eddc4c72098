import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "./ConfigFolder.ts"

const withoutPlaces = (entries: Iterable<unknown>) =>
  JSON.stringify([...entries], (key, value: unknown) => (key === "place" || key === "origin" ? undefined : value))

layer(NodeServices.layer)("UnknownKeys", (it) => {
  it.effect("an unknown key is a warning with its place and the key that was probably meant; the server works", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "home/.config/letterhead/letterhead.yaml",
        [
          "mcpServers:",
          "  a:",
          "    url: https://a",
          "    headerHelper: x",
          "    Headers: {}",
          "    headersHelper:",
          "      command: [x]",
          "      time_out: 500",
          "      retry: { time: 1 }",
          "    description: mine",
          "mcpServer: {}",
          "trust: all",
          ""
        ].join("\n")
      )
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["a"])
      const file = "home/.config/letterhead/letterhead.yaml"
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        `${file}:11:1 (mcpServer): unknown key "mcpServer" is ignored; did you mean "mcpServers"?`,
        `${file}:12:1 (trust): unknown key "trust" is ignored; remove it`,
        `${file}:4:5 (mcpServers.a.headerHelper): unknown key "headerHelper" is ignored; did you mean "headersHelper"?`,
        `${file}:5:5 (mcpServers.a.Headers): unknown key "Headers" is ignored; did you mean "headers"?`,
        `${file}:8:7 (mcpServers.a.headersHelper.time_out): unknown key "time_out" is ignored; did you mean "timeout"?`,
        `${file}:9:16 (mcpServers.a.headersHelper.retry.time): unknown key "time" is ignored; did you mean "times"?`,
        `${file}:10:5 (mcpServers.a.description): unknown key "description" is ignored; remove it`
      ])
    })
  )

  it.effect("F34: what a project file grants itself is ignored, and said to be", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const grants = ["trust", "trusted", "allow", "approve", "approved", "autoApprove", "always-allow"]
      const granting = Object.fromEntries(grants.map((key) => [key, true]))
      for (const name of ["letterhead.json", ".mcp.json"]) {
        yield* folder.write(`repository/${name}`, {
          ...granting,
          mcpServers: { [name]: { url: "https://a", headersHelper: { command: ["x"], ...granting }, ...granting } }
        })
      }
      const plain = yield* ConfigFolder.make
      for (const name of ["letterhead.json", ".mcp.json"]) {
        yield* plain.write(`repository/${name}`, {
          mcpServers: { [name]: { url: "https://a", headersHelper: { command: ["x"] } } }
        })
      }
      const config = yield* folder.discover()
      expect(config.warnings.length).toBe(2 * 3 * grants.length)
      for (const { message } of config.warnings) {
        expect(message).toMatch(
          /^".+" is ignored: a project file can never grant trust; approve what it runs with `letterhead trust approve`$/
        )
      }
      expect(withoutPlaces(config.servers.values())).toBe(withoutPlaces((yield* plain.discover()).servers.values()))
    })
  )

  it.effect("a key that would disturb a terminal is shown escaped", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/.mcp.json", { mcpServers: {}, "\u001b]0;x": 1 })
      expect(JSON.stringify(ConfigFolder.warnings(yield* folder.discover(), folder.root))).not.toContain("\u001b")
      expect(ConfigFolder.warnings(yield* folder.discover(), folder.root)[0]).not.toContain("\u001b")
    })
  )
})
