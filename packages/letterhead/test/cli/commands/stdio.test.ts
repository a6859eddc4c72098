/** Servers that are programs, on the command line. */
import { describe, expect, it } from "@effect/vitest"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { kill } from "node:process"
import { fileURLToPath } from "node:url"
import { errorsOf, person } from "../support/Command.ts"

const EVERYTHING = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"))

/** A person with a project whose one server is a program. */
const withProgram = Effect.fnUntraced(function* (
  behaviour: StdioServerFixture.StdioBehaviour = {},
  env: Readonly<Record<string, string>> = {}
) {
  const someone = yield* person
  const fixture = yield* StdioServerFixture.make(behaviour, { directory: someone.project })
  yield* someone.write(".mcp.json", {
    mcpServers: { files: { command: fixture.command, args: ["./server.mjs"], env } }
  })
  return { ...someone, fixture }
})

describe.concurrent("a server that is a program", () => {
  it.live("F31: is not started before somebody approved it, and the way on is shown", () =>
    Effect.gen(function* () {
      const { approve, fixture, run } = yield* withProgram({}, { API_KEY: "canary", LEVEL: "debug" })
      expect((yield* run(["servers"])).stdout).toContain("unapproved: letterhead trust approve files")
      for (const verb of [
        ["tools", "files"],
        ["call", "files", "echo"]
      ]) {
        const refused = yield* run(verb)
        expect(refused).toMatchObject({ code: 5, stdout: "" })
        expect(refused.stderr).toContain("was never approved")
        expect(refused.stderr).toContain("letterhead trust approve files")
        expect(refused.stderr).toContain("server.mjs")
      }
      const asked = yield* run(["trust", "approve", "files"])
      expect(asked.code).toBe(5)
      expect(asked.stdout).toMatch(/server runs +\S+ \.\/server\.mjs/)
      expect(asked.stdout).toMatch(/server variable +API_KEY=•••/)
      expect(asked.stdout).toMatch(/server variable +LEVEL=debug/)
      expect(asked.stdout).toMatch(/file +\S+\/server\.mjs {2}sha256:/)
      expect(asked.stdout + asked.stderr).not.toContain("canary")
      expect(yield* fixture.starts).toBe(0)

      yield* approve("files")
      expect((yield* run(["tools", "files"])).stdout).toMatch(/\necho +Returns its arguments\n/)
      expect(yield* run(["call", "files", "echo", "a=1"])).toEqual({ code: 0, stdout: '{"a":1}\n', stderr: "" })
      expect(yield* fixture.alive).toEqual([])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("F32: is not started once its script changed", () =>
    Effect.gen(function* () {
      const { approve, fixture, run } = yield* withProgram()
      yield* approve("files")
      expect(yield* run(["tools", "files"])).toMatchObject({ code: 0 })
      yield* fixture.become({ era: "legacy" })
      const refused = yield* run(["tools", "files"])
      expect(refused).toMatchObject({ code: 5, stdout: "" })
      expect(refused.stderr).toContain("changed since it was approved")
      expect(yield* fixture.starts).toBe(1)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("F18: that is not there cannot be approved or asked, and the error says what is missing", () =>
    Effect.gen(function* () {
      const { run, write } = yield* person
      yield* write(".mcp.json", { mcpServers: { files: { command: "mcp-server-that-is-not-there" } } })
      for (const verb of [
        ["trust", "approve", "files"],
        ["tools", "files"]
      ]) {
        const ended = yield* run(verb)
        expect(ended.code).toBe(2)
        expect(ended.stderr).toContain("the program mcp-server-that-is-not-there was not found")
      }
    })
  )

  it.live("that exits at once is unreachable, with its exit code and what it said", () =>
    Effect.gen(function* () {
      const { approve, json, run } = yield* withProgram({ exits: 3, stderr: "Cannot open database\n" })
      yield* approve("files")
      const ended = yield* run(["tools", "files"])
      expect(ended.code).toBe(4)
      expect(ended.stderr).toContain("the program exited with code 3")
      expect(ended.stderr).toContain("Cannot open database")
      expect(errorsOf(yield* json(["tools", "files"]))).toMatchObject([
        { error: { code: "ProgramEnded", exitCode: 4 } }
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("F42: gets a credential of the person's only where the approval says so", () =>
    Effect.gen(function* () {
      const { approve, run } = yield* withProgram()
      const env = { GITHUB_TOKEN: "the-token", PLAIN: "plain" }
      yield* approve("files")
      const without = yield* run(["call", "files", "environment"], { env })
      expect(without.stdout).toContain("plain")
      expect(without.stdout).not.toContain("the-token")
      yield* approve("files", "--pass-env", "GITHUB_TOKEN")
      expect((yield* run(["call", "files", "environment"], { env })).stdout).toContain("the-token")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("has no headers, and headers says why without starting it", () =>
    Effect.gen(function* () {
      const { fixture, json, run } = yield* withProgram()
      const shown = yield* run(["headers", "files"])
      expect(shown).toMatchObject({ code: 0, stderr: "" })
      expect(shown.stdout).toContain('No headers are sent to "files": it is a program')
      expect((yield* json(["headers", "files"])).value).toMatchObject({
        server: "files",
        headers: [],
        why: expect.stringContaining("program")
      })
      expect(yield* fixture.starts).toBe(0)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("what it says on standard error is shown with --verbose alone", () =>
    Effect.gen(function* () {
      const { approve, run } = yield* withProgram({ stderr: "listening now\n" })
      yield* approve("files")
      expect((yield* run(["tools", "files"])).stderr).toBe("")
      expect((yield* run(["tools", "files", "--verbose"])).stderr).toContain('server "files" says: listening now')
    }).pipe(Effect.provide(NodeServices.layer))
  )

  for (const [signal, title] of [
    ["SIGINT", "SIGINT in the middle of a call ends the program, its child too"],
    ["SIGKILL", "F30: a program whose parent was killed in the middle of a call ends, since its standard input does"]
  ] as const) {
    it.live(title, () =>
      Effect.gen(function* () {
        const { approve, fixture, run } = yield* withProgram({ leavesChild: signal === "SIGINT" })
        yield* approve("files")
        let command = 0
        const running = yield* Effect.forkChild(
          run(["call", "files", "slow", "ms=60000"], { started: (pid) => (command = pid) })
        )
        const alive = Effect.map(fixture.alive, (pids) => pids.length)
        yield* Effect.repeat(Effect.delay(alive, 50), { until: (count) => count > 0 })
        kill(command, signal)
        expect((yield* Fiber.join(running)).code).toBe(signal === "SIGINT" ? 130 : undefined)
        yield* Effect.repeat(Effect.delay(alive, 50), { until: (count) => count === 0 })
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  it.live("server-everything, from the package registry, works as it is", () =>
    Effect.gen(function* () {
      const { run, writeOwn } = yield* person
      yield* writeOwn("letterhead.json", {
        mcpServers: { everything: { command: process.execPath, args: [EVERYTHING, "stdio"] } }
      })
      expect((yield* run(["tools", "everything"])).stdout).toMatch(/\nget-sum +a b +/)
      expect(yield* run(["call", "everything", "echo", "message=hello"])).toEqual({
        code: 0,
        stdout: "Echo: hello\n",
        stderr: ""
      })
    })
  )
})
