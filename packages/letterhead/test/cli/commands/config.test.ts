import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorsOf, person } from "../support/Command.ts"

const url = "http://127.0.0.1:9/mcp"

describe.concurrent("letterhead config", () => {
  it.live("path shows every document considered, nearest first, and where state is kept", () =>
    Effect.gen(function* () {
      const { home, json, project, run, write } = yield* person
      yield* write(".mcp.json", { mcpServers: {} })
      const ended = yield* run(["config", "path"])
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout).toMatch(new RegExp(`${project}/\\.mcp\\.json +project +read`))
      expect(ended.stdout).toMatch(new RegExp(`${home}/\\.config/letterhead/letterhead\\.json +user +not there`))
      const { value } = yield* json(["config", "path"])
      expect(value).toMatchObject({
        directories: { config: `${home}/.config/letterhead`, state: `${home}/.local/state/letterhead` }
      })
      expect(value).toHaveProperty(
        "documents",
        expect.arrayContaining([{ source: `${project}/.mcp.json`, scope: "project", found: true }])
      )
      const elsewhere = yield* json(["config", "path"], { env: { LETTERHEAD_HOME: `${home}/lh` } })
      expect(elsewhere.value).toMatchObject({ directories: { config: `${home}/lh`, state: `${home}/lh/state` } })
    })
  )

  it.live("path does not call a document read that cannot be used", () =>
    Effect.gen(function* () {
      const { json, project, run, write } = yield* person
      yield* write(".mcp.json", "{")
      const ended = yield* run(["config", "path"])
      expect(ended.stdout).toMatch(
        new RegExp(`${project}/\\.mcp\\.json +project +cannot be used: letterhead config check`)
      )
      const { value } = yield* json(["config", "path"])
      expect(value).toHaveProperty(
        "documents",
        expect.arrayContaining([{ source: `${project}/.mcp.json`, scope: "project", found: true, failed: true }])
      )
    })
  )

  it.live("check ends well where every server can be used, warnings or not", () =>
    Effect.gen(function* () {
      const { json, run, write } = yield* person
      yield* write(".mcp.json", { mcpServers: { api: { type: "http", url, hedders: {} } } })
      const ended = yield* run(["config", "check"])
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout).toContain("warning: ")
      expect(ended.stdout).toContain("hedders")
      expect(ended.stdout).toContain("usable: api\n")
      expect((yield* json(["config", "check"])).value).toMatchObject({
        ok: true,
        servers: ["api"],
        failed: [],
        skipped: [],
        warnings: [{ message: expect.stringContaining("hedders") }],
        shadowed: []
      })
    })
  )

  const broken: ReadonlyArray<readonly [what: string, file: string, text: string, says: RegExp]> = [
    ["broken JSON", ".mcp.json", '{"mcpServers": {', /\.mcp\.json:1:\d+/],
    ["broken YAML", "letterhead.yaml", "mcpServers:\n  a: [", /letterhead\.yaml:\d+:\d+/],
    [
      "a wrong type",
      ".mcp.json",
      '{"mcpServers":{"a":{"type":"http","url":3}}}',
      /\.mcp\.json:1:\d+ \(mcpServers\.a\.url\): expected/
    ],
    ["neither url nor command", ".mcp.json", '{"mcpServers":{"a":{}}}', /mcpServers\.a.*url.*command/],
    ["both url and command", ".mcp.json", `{"mcpServers":{"a":{"url":"${url}","command":"x"}}}`, /mcpServers\.a/],
    [
      "an unset variable",
      ".mcp.json",
      '{"mcpServers":{"a":{"type":"http","url":"${NOT_SET_ANYWHERE}"}}}',
      /NOT_SET_ANYWHERE is not set; set it/
    ]
  ]
  for (const [what, file, text, says] of broken) {
    it.live(`check says where there is ${what} and what to do, and the other servers still work`, () =>
      Effect.gen(function* () {
        const { run, write, writeOwn } = yield* person
        yield* write(file, text)
        yield* writeOwn("letterhead.json", { mcpServers: { mine: { url } } })
        const ended = yield* run(["config", "check"])
        expect(ended.code).toBe(2)
        expect(ended.stdout).toMatch(says)
        expect(ended.stdout).toContain("usable: mine\n")
        expect(ended.stderr).not.toMatch(/\n\s+at /)
        const other = yield* run(["headers", "mine"])
        expect(other).toMatchObject({ code: 0, stdout: 'No headers are configured for "mine".\n' })
        expect(other.stderr).toMatch(/^warning: /)
      })
    )
  }

  it.live("check with --json gives the document, and the verdict as an error", () =>
    Effect.gen(function* () {
      const { json, write } = yield* person
      yield* write(".mcp.json", "{")
      const ended = yield* json(["config", "check"])
      expect(ended.code).toBe(2)
      expect(ended.value).toMatchObject({ ok: false, servers: [], failed: [{ code: "DocumentMalformed" }] })
      expect(errorsOf(ended)).toEqual([
        { error: { code: "ConfigInvalid", message: "1 document or server cannot be used", exitCode: 2 } }
      ])
    })
  )
})
