import { describe, expect, it } from "@effect/vitest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import { errorsOf, person } from "../support/Command.ts"

const url = "http://127.0.0.1:9/mcp"

describe.concurrent("letterhead headers", () => {
  it.live("shows each header masked, with its source, its place and what it shadowed, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make()
      const { approve, json, program, project, run, write } = yield* person
      yield* program("headers.sh", `#!/bin/sh\necho '{"Authorization": "Bearer from-the-helper"}'\n`)
      yield* write(
        "hook.mjs",
        `export default { "mcp.call.before": (input, output) => {
        output.headers["X-Session"] = input.sessionID
        delete output.headers["X-Gone"]
        output.headers["X-Empty"] = ""
      } }`
      )
      yield* write("letterhead.json", {
        mcpServers: {
          api: {
            url: server.url,
            headers: { "X-Team": "blue", Authorization: "Bearer static", "X-Gone": "x" },
            headersHelper: { command: ["./headers.sh"] }
          }
        },
        hooks: ["./hook.mjs"]
      })
      yield* approve("api")
      const ended = yield* run(["headers", "api", "--session", "s-1"])
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      const lines = ended.stdout.split("\n")
      expect(lines[0]).toMatch(/^header +value +source +declared +shadowed$/)
      const line = (name: string) => lines.find((each) => each.startsWith(`${name} `)) ?? ""
      expect(line("X-Team")).toMatch(
        /••••• \(4\) +static +\.\/letterhead\.json:\d+:\d+ \(mcpServers\.api\.headers\.X-Team\)$/
      )
      expect(line("Authorization")).toMatch(
        /•••••… \(22, …er\) +helper +\.\/headers\.sh · .* static \.\/letterhead\.json:\d+:\d+/
      )
      expect(line("X-Gone")).toMatch(/not sent: removed by hook +hook /)
      expect(line("X-Empty")).toMatch(/not sent: its value is empty/)
      expect(line("X-Session")).toMatch(/••••• \(3\) +hook +\.\/hook\.mjs/)
      expect(ended.stdout).not.toContain("blue")
      expect(ended.stdout).not.toContain("from-the-helper")

      const { value } = yield* json(["headers", "api", "--session", "s-1"])
      expect(value).toMatchObject({ server: "api", session: "s-1" })
      expect(value).toHaveProperty(
        "headers",
        expect.arrayContaining([
          {
            name: "X-Team",
            sent: true,
            value: "••••• (4)",
            source: "static",
            declared: expect.stringContaining(`${project}/letterhead.json:`),
            shadowed: []
          },
          expect.objectContaining({ name: "X-Gone", sent: false, why: "removed by hook", source: "hook" })
        ])
      )
      expect(yield* server.requests).toEqual([])
    })
  )

  it.live("gives each run a session of its own", () =>
    Effect.gen(function* () {
      const { json, writeOwn } = yield* person
      yield* writeOwn("letterhead.json", { mcpServers: { mine: { url } } })
      const first = (yield* json(["headers", "mine"])).value
      const second = (yield* json(["headers", "mine"])).value
      expect(first).toMatchObject({ session: expect.stringMatching(/^[0-9a-f]{32}$/), headers: [] })
      expect(first).not.toEqual(second)
    })
  )

  it.live("names the configured servers where it knows none of that name", () =>
    Effect.gen(function* () {
      const { json, run, writeOwn } = yield* person
      yield* writeOwn("letterhead.json", { mcpServers: { one: { url }, two: { url } } })
      expect(yield* run(["headers", "three"])).toEqual({
        code: 2,
        stdout: "",
        stderr: 'error: no server "three"; configured: one, two\n'
      })
      expect(errorsOf(yield* json(["headers", "three"]))).toEqual([
        { error: { code: "ServerUnknown", message: 'no server "three"; configured: one, two', exitCode: 2 } }
      ])
    })
  )

  const failures: ReadonlyArray<readonly [what: string, helper: string, code: number, name: string]> = [
    ["exits 3", "exit 3", 2, "ExitedWith"],
    ["prints nonsense", "echo nonsense", 2, "OutputNotJson"],
    ["hangs", "sleep 30", 4, "TimedOut"],
    ["sets a name that the protocol owns", `echo '{"Host": "x"}'`, 2, "HeaderForbidden"],
    ["prints a line break in a value", `printf '%s' '{"A": "b\\nc"}'`, 2, "OutputInvalid"]
  ]
  for (const [what, script, code, name] of failures) {
    it.live(`a helper that ${what} is an error that names server and source, with code ${code}`, () =>
      Effect.gen(function* () {
        const { json, project, program, writeOwn } = yield* person
        yield* program("headers.sh", `#!/bin/sh\n${script}\n`)
        yield* writeOwn("letterhead.json", {
          mcpServers: { mine: { url, headersHelper: { command: [`${project}/headers.sh`], timeout: 500 } } }
        })
        const ended = yield* json(["headers", "mine"])
        expect(ended).toMatchObject({ code, stdout: "" })
        expect(errorsOf(ended)).toEqual([
          { error: { code: name, message: expect.stringMatching(/^server "mine", source helper: /), exitCode: code } }
        ])
      })
    )
  }
})
