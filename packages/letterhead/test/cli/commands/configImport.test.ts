import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { statSync } from "node:fs"
import { createServer } from "node:http"
import { person } from "../support/Command.ts"

const SECRET = "secret-canary-41"

const openCode = `{ // mine
  "plugin": ["some-package"],
  "mcp": {
    "api": { "type": "remote", "url": "https://mcp.example.com/mcp", "headers": { "X-Key": "{env:API_KEY}" } },
    "off": { "type": "local", "command": ["x"], "enabled": false }
  }
}`

const native = { mcpServers: { api: { url: "https://mcp.example.com/mcp", headers: { "X-Key": "{env:API_KEY}" } } } }

describe("letterhead config import", () => {
  it.live("says another program's configuration in the native form, and what is lost on standard error", () =>
    Effect.gen(function* () {
      const { json, project, run, write } = yield* person
      yield* write("opencode.jsonc", openCode)
      const env = { API_KEY: SECRET }
      const ended = yield* run(["config", "import", "opencode.jsonc"], { env })
      expect(ended.code).toBe(0)
      expect(JSON.parse(ended.stdout)).toEqual(native)
      expect(ended.stderr).toContain(`${project}/opencode.jsonc:2:14 (plugin[0]): the plugin "some-package"`)
      expect(ended.stderr).toContain('the server "off"')
      expect(ended.stdout + ended.stderr).not.toContain(SECRET)
      const { value } = yield* json(["config", "import", "opencode.jsonc"], { env })
      expect(value).toMatchObject({ dialect: "OpenCode", document: native, lost: [{}, {}] })
    })
  )

  it.live("writes a file that nobody else reads, and replaces none without being told", () =>
    Effect.gen(function* () {
      const { project, read, run, write } = yield* person
      yield* write("opencode.jsonc", openCode)
      const args = ["config", "import", "opencode.jsonc", "--output", "letterhead.yaml"]
      expect((yield* run(args)).code).toBe(0)
      expect(yield* read("letterhead.yaml")).toContain('X-Key: "{env:API_KEY}"')
      expect(statSync(`${project}/letterhead.yaml`).mode & 0o777).toBe(0o600)
      yield* write("letterhead.yaml", "mine")
      const again = yield* run(args)
      expect(again.code).toBe(2)
      expect(again.stderr).toContain(`${project}/letterhead.yaml is there already\nreplace it with --force`)
      expect(yield* read("letterhead.yaml")).toBe("mine")
      expect((yield* run([...args, "--force"])).code).toBe(0)
      const checked = yield* run(["config", "check", "--config", "letterhead.yaml"], { env: { API_KEY: SECRET } })
      expect(checked).toMatchObject({ code: 0, stdout: "usable: api\n" })
      const elsewhere = yield* run([...args.slice(0, 3), "--output", "missing/letterhead.json"])
      expect(elsewhere).toMatchObject({ code: 2, stdout: "" })
      expect(elsewhere.stderr).toContain("there is no such folder")
    })
  )

  it.live("a file that is not there, and one that could be of two programs, are errors", () =>
    Effect.gen(function* () {
      const { run, write } = yield* person
      expect(yield* run(["config", "import", "missing.json"])).toMatchObject({ code: 2, stdout: "" })
      yield* write("both.json", { mcpServers: {}, mcp: {} })
      const ended = yield* run(["config", "import", "both.json"])
      expect(ended.code).toBe(2)
      expect(ended.stderr).toContain('"mcpServers" as an object (Letterhead), "mcp" as an object (OpenCode)')
    })
  )
})

describe("letterhead config schema", () => {
  it.live("prints the JSON Schema", () =>
    Effect.gen(function* () {
      const { json } = yield* person
      const { code, value } = yield* json(["config", "schema"])
      expect(code).toBe(0)
      expect(value).toHaveProperty("properties.mcpServers.additionalProperties.properties.passthroughHeaders")
    })
  )
})

describe("letterhead --config", () => {
  it.live("reads a URL, whose servers need approval for what they would run", () =>
    Effect.gen(function* () {
      const { json, run } = yield* person
      const server = createServer((_, response) =>
        response.end(JSON.stringify({ mcpServers: { api: { url: "https://a.example", headersHelper: "exit 1" } } }))
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const port = yield* Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      })
      const url = `http://127.0.0.1:${port}/config.json`
      const { value } = yield* json(["config", "path", "--config", url])
      expect(value).toMatchObject({ documents: [{ source: url, scope: "remote", found: true }] })
      const headers = yield* run(["headers", "api", "--config", url])
      expect(headers.code).toBe(5)
      const refused = yield* run(["config", "path", "--config", "http://example.com/config.json"])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain("is refused: only https, or http on this machine")
    })
  )
})
