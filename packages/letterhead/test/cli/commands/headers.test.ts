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
      expect(lines[0]).toMatch(/^header +value +source +declared +shadowed +why$/)
      const line = (name: string) => lines.find((each) => each.startsWith(`${name} `)) ?? ""
      expect(line("X-Team")).toMatch(
        /••••• \(4\) +static +\.\/letterhead\.json:\d+:\d+ \(mcpServers\.api\.headers\.X-Team\) +nothing else sets it$/
      )
      expect(line("Authorization")).toMatch(
        /•••••… \(22, …er\) +helper +\.\/headers\.sh · .* static \.\/letterhead\.json:\d+:\d+ .* helper ranks above static$/
      )
      expect(line("X-Gone")).toMatch(/not sent +hook .* removed by hook$/)
      expect(line("X-Empty")).toMatch(/not sent +hook .* its value is empty$/)
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
            why: "nothing else sets it",
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

  it.live("explains six sources, each header that is sent and each that is not, without a request or a secret", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make()
      const { approve, json, program, run, write, writeOwn } = yield* person
      yield* writeOwn("letterhead.json", { mcpServers: {}, credentials: { storage: "filesystem" } })
      yield* program(
        "headers.sh",
        `#!/bin/sh\necho '{"Authorization": "Bearer canary-helper", "X-Region": "canary-2"}'\n`
      )
      yield* write(
        "hook.ts",
        `import type { McpCallBefore } from "letterhead/hook"
        const hook: McpCallBefore = async (input, output): Promise<void> => {
          output.headers["X-Session"] = input.sessionID satisfies string
          delete output.headers["X-Gone"]
        }
        export default { "mcp.call.before": hook }`
      )
      yield* write("letterhead.json", {
        mcpServers: {
          api: {
            url: server.url,
            headers: { Authorization: "Bearer canary-static", "X-Gone": "canary-gone", "X-Unset": "${NOTHING:-}" },
            headersHelper: { command: ["./headers.sh"] },
            passthroughHeaders: [
              "x-mcp-api-key",
              "x-optional",
              { name: "x-user-region", as: "X-Region", override: true }
            ],
            userConfig: {
              TENANT: { title: "Tenant", type: "string", default: "canary-acme", headerName: "X-Tenant" },
              TOKEN: { title: "Token", type: "string", sensitive: true, headerName: "X-Token" }
            }
          }
        },
        hooks: ["./hook.ts"]
      })
      yield* approve("api")
      const words = ["headers", "api", "--session", "s", "--incoming", "x-mcp-api-key", "--incoming", "X_User_Region"]
      const env = { X_MCP_API_KEY: "canary-key", X_USER_REGION: "canary-region" }
      const { value } = yield* json(words, { env })
      const headers = value !== null && typeof value === "object" && "headers" in value ? value.headers : undefined
      const shown = (Array.isArray(headers) ? headers : []).map(
        ({ name, sent, source, why }: Readonly<Record<string, unknown>>) => [name, sent, source, why]
      )
      expect(shown.toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
        ["Authorization", true, "helper", "helper ranks above static"],
        ["X-Gone", false, "hook", "removed by hook"],
        ["x-mcp-api-key", true, "passthrough", "nothing else sets it"],
        ["x-optional", false, "passthrough", "no incoming x-optional came, and it is optional"],
        [
          "X-Region",
          true,
          "passthrough-override",
          'passthrough-override ranks above helper: its entry says "override": true'
        ],
        ["X-Session", true, "hook", "nothing else sets it"],
        ["X-Tenant", true, "credential", "nothing else sets it"],
        ["X-Token", false, "credential", expect.stringContaining("letterhead credential set api TOKEN")],
        ["X-Unset", false, "static", "its value is empty"]
      ])
      const ended = yield* run(words, { env })
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout).toContain("Hooks run for calls.")
      expect(ended.stdout + JSON.stringify(value)).not.toContain("canary")
      expect(yield* server.requests).toEqual([])
    })
  )

  it.live("shows no value that stands in the command of a helper either", () =>
    Effect.gen(function* () {
      const { json, run, writeOwn } = yield* person
      const command = `echo '{"Authorization": "Bearer canary-secret", "X-Key": "canary-key"}'`
      yield* writeOwn("letterhead.json", { mcpServers: { mine: { url, headersHelper: { command } } } })
      const ended = yield* run(["headers", "mine"])
      expect(ended.stdout).toContain("Bearer •••••")
      expect(ended.stdout + (yield* json(["headers", "mine"])).stdout).not.toContain("canary")
    })
  )

  it.live(
    "an incoming header that is required and missing is an error that says how to give it, and so is one without a value",
    () =>
      Effect.gen(function* () {
        const { json, run, writeOwn } = yield* person
        const passthroughHeaders = [{ name: "x-user-token", required: true }]
        yield* writeOwn("letterhead.json", { mcpServers: { mine: { url, passthroughHeaders } } })
        expect(errorsOf(yield* json(["headers", "mine"]))).toMatchObject([
          {
            error: { code: "IncomingMissing", message: expect.stringContaining("--incoming x-user-token"), exitCode: 2 }
          }
        ])
        for (const env of [{}, { X_USER_TOKEN: "" }]) {
          expect(errorsOf(yield* json(["headers", "mine", "--incoming", "x-user-token"], { env }))).toEqual([
            {
              error: {
                code: "IncomingMissing",
                message:
                  'an incoming header has no value: set X_USER_TOKEN for "x-user-token"; nobody can be asked here',
                exitCode: 2
              }
            }
          ])
        }
        const unlisted = yield* run(["headers", "mine", "--incoming", "x-user-token", "--incoming", "x-other"], {
          env: { X_USER_TOKEN: "token", X_OTHER: "other" }
        })
        expect(unlisted).toMatchObject({
          code: 0,
          stderr: 'warning: "mine" lets no incoming header "x-other" through; it is not sent\n'
        })
        for (const given of ["x-user-token=canary", "x-user-token: canary", "x user canary"]) {
          const ended = yield* run(["headers", "mine", "--incoming", given])
          expect(ended).toMatchObject({ code: 2, stdout: "" })
          expect(ended.stderr).toContain("--incoming takes the name of a header")
          expect(ended.stderr).not.toContain("canary")
        }
        const broken = yield* run(["headers", "mine", "--incoming", "x-user-token"], {
          env: { X_USER_TOKEN: "canary\r\nX-Evil: 1" }
        })
        expect(broken.code).toBe(2)
        expect(broken.stderr).toContain("a value has no line break")
        expect(broken.stderr).not.toContain("canary")
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
