import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorsOf, person } from "../support/Command.ts"

const url = "http://127.0.0.1:9/mcp"

/** The names in the `--json` of `servers`. */
const names = (value: unknown) =>
  typeof value === "object" && value !== null && "servers" in value && Array.isArray(value.servers)
    ? value.servers.map(({ name }: { name: string }) => name)
    : []

describe.concurrent("letterhead servers", () => {
  it.live("lists each server with its target, sources, trust and place, and warns of what it skipped", () =>
    Effect.gen(function* () {
      const { program, run, write, writeOwn } = yield* person
      yield* program("headers.sh", "#!/bin/sh\necho '{}'\n")
      yield* write(".mcp.json", {
        mcpServers: {
          api: { type: "http", url: `${url}?key=in-the-url`, headers: { "X-Team": "blue" } },
          helped: { type: "http", url, headersHelper: "./headers.sh" },
          unset: { type: "http", url: "${NOT_SET_ANYWHERE}" }
        }
      })
      yield* writeOwn("letterhead.yaml", `mcpServers:\n  mine: { url: "${url}" }\n`)
      const ended = yield* run(["servers"])
      expect(ended.code).toBe(0)
      const lines = ended.stdout.trimEnd().split("\n")
      expect(lines[0]).toMatch(/^server +transport +target +headers from +authorization +trust +declared$/)
      expect(lines[1]).toMatch(
        /^api +http +http:\/\/127\.0\.0\.1:9\/mcp\?key=REDACTED +static +none +not needed +\.\/\.mcp\.json:3:5$/
      )
      expect(lines[2]).toMatch(
        /^helped .* helper +helper +unapproved: letterhead trust approve helped +\.\/\.mcp\.json:\d+:5$/
      )
      expect(lines[3]).toMatch(/^mine .* own +.*letterhead\.yaml:2:3$/)
      expect(lines).toHaveLength(4)
      expect(ended.stderr).toContain('warning: skipped "unset"')
      expect(ended.stderr).toContain("NOT_SET_ANYWHERE")
      expect(ended.stdout + ended.stderr).not.toContain("in-the-url")
    })
  )

  it.live("with --json gives one document and nothing on standard error", () =>
    Effect.gen(function* () {
      const { json, project, write } = yield* person
      yield* write(".mcp.json", {
        mcpServers: { api: { type: "http", url, headers: { "X-Team": "blue" } }, bad: { type: "http" } }
      })
      const ended = yield* json(["servers"])
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.value).toEqual({
        servers: [
          {
            name: "api",
            transport: "http",
            target: url,
            scope: "project",
            declared: `${project}/.mcp.json:3:5 (mcpServers.api)`,
            headers: ["X-Team"],
            helper: false,
            hooks: [],
            authorization: { state: "none" },
            trust: "not needed"
          }
        ],
        failed: [],
        skipped: [{ name: "bad", code: "ValueInvalid", message: expect.stringContaining("mcpServers.bad") }],
        shadowed: []
      })
    })
  )

  it.live("says what to do where nothing is configured", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      expect(yield* run(["servers"])).toEqual({
        code: 0,
        stdout: "No servers are configured. See where they are looked for with: letterhead config path\n",
        stderr: ""
      })
    })
  )

  it.live("--config reads one file and no other, --cwd stands in another folder", () =>
    Effect.gen(function* () {
      const { json, project, run, write, writeOwn } = yield* person
      yield* writeOwn("letterhead.json", { mcpServers: { mine: { url } } })
      yield* write("sub/deep/.mcp.json", { mcpServers: { deep: { type: "http", url } } })
      yield* write("other.json", { mcpServers: { other: { url } } })
      expect(names((yield* json(["servers", "--config", "other.json"])).value)).toEqual(["other"])
      expect(names((yield* json(["servers", "--cwd", "sub/deep"])).value)).toEqual(["deep", "mine"])
      expect(names((yield* json(["servers", "--cwd", "sub/deep", "--config", "../../other.json"])).value)).toEqual([
        "other"
      ])
      expect(names((yield* json(["servers"], { cwd: `${project}/sub` })).value)).toEqual(["mine"])
      const missing = yield* run(["servers", "--config", "none.json", "--json"])
      expect(missing).toMatchObject({ code: 2, stdout: "" })
      expect(errorsOf(missing)).toMatchObject([{ error: { code: "DocumentUnreadable", exitCode: 2 } }])
    })
  )

  it.live("relative paths start where the person stands when a package manager runs the script at the root", () =>
    Effect.gen(function* () {
      const { project, run, write } = yield* person
      const root = new URL("../../../../..", import.meta.url).pathname.replace(/\/$/, "")
      yield* write(".mcp.json", { mcpServers: { here: { type: "http", url } } })
      const fromScript = yield* run(["servers"], { cwd: root, env: { INIT_CWD: project } })
      expect(fromScript.stdout).toContain("./.mcp.json:3:5")
      // Elsewhere INIT_CWD belongs to somebody else's script.
      const elsewhere = yield* run(["servers"], { cwd: "/", env: { INIT_CWD: project } })
      expect(elsewhere.stdout).not.toContain(".mcp.json")
    })
  )
})
