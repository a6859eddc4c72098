import { describe, expect, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import { errorsOf, person } from "../support/Command.ts"

/** A person with one server of their own. */
const withServer = Effect.fnUntraced(function* (url: string, entry: Readonly<Record<string, unknown>> = {}) {
  const someone = yield* person
  yield* someone.writeOwn("letterhead.json", { mcpServers: { api: { url, ...entry } } })
  return someone
})

describe.concurrent("letterhead tools and call", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`tools lists the tools of a ${era} server, and call calls one in the session that is named`, () =>
      Effect.gen(function* () {
        const server = yield* LoopbackServer.make({ era })
        const { json, run } = yield* withServer(server.url, { headers: { "X-Team": "blue" } })
        const tools = yield* run(["tools", "api"])
        expect(tools).toMatchObject({ code: 0, stderr: "" })
        expect(tools.stdout).toMatch(/^tool +arguments +description\n/)
        expect(tools.stdout).toMatch(/\necho +Returns its arguments\n/)
        expect((yield* json(["tools", "api"])).value).toMatchObject({
          server: "api",
          era,
          protocolVersion: expect.stringMatching(/^20/),
          tools: expect.arrayContaining([expect.objectContaining({ name: "echo", inputSchema: expect.anything() })])
        })
        expect(yield* run(["call", "api", "echo", "a=1", "b=two"])).toEqual({
          code: 0,
          stdout: '{"a":1,"b":"two"}\n',
          stderr: ""
        })
        expect((yield* json(["call", "api", "echo", "--args", '{"a":[1]}', "--session", "s-1"])).value).toEqual({
          server: "api",
          tool: "echo",
          session: "s-1",
          isError: false,
          content: [{ type: "text", text: '{"a":[1]}' }]
        })
        const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
        expect(calls.map(({ headers }) => headers.get("x-team"))).toEqual(["blue", "blue"])
        expect(yield* server.sessions).toEqual([])
      })
    )
  }

  it.live(
    "--incoming gives a header that the server's entry lets through, from the environment and never as an argument",
    () =>
      Effect.gen(function* () {
        const server = yield* LoopbackServer.make({ era: "legacy" })
        const { run } = yield* withServer(server.url, {
          passthroughHeaders: [{ name: "x-user-token", as: "Authorization", credential: true, required: true }]
        })
        const words = ["--incoming", "X-User-Token"]
        const env = { X_USER_TOKEN: "Bearer canary" }
        const without = yield* run(["call", "api", "echo"])
        expect(without).toMatchObject({ code: 2, stdout: "" })
        expect(without.stderr).toContain("--incoming x-user-token")
        expect(yield* server.requests).toEqual([])

        expect(yield* run(["call", "api", "echo", "a=1", ...words], { env })).toEqual({
          code: 0,
          stdout: '{"a":1}\n',
          stderr: ""
        })
        expect(yield* run(["tools", "api", ...words], { env })).toMatchObject({ code: 0, stderr: "" })
        const carried = (yield* server.requests).map(({ headers }) => headers.get("authorization"))
        expect(carried.length).toBeGreaterThan(4)
        expect(new Set(carried)).toEqual(new Set(["Bearer canary"]))
      })
  )

  it.live("an error that the tool reports has code 1, with its text on standard error", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const { json, run } = yield* withServer(server.url)
      expect(yield* run(["call", "api", "fail", "message=no luck"])).toEqual({
        code: 1,
        stdout: "",
        stderr: 'error: the tool "fail" reported an error\nno luck\n'
      })
      const ended = yield* json(["call", "api", "fail"])
      expect(ended.code).toBe(1)
      expect(ended.value).toMatchObject({ isError: true, content: [{ type: "text", text: "failed on purpose" }] })
      expect(errorsOf(ended)).toEqual([
        { error: { code: "ToolFailed", message: 'the tool "fail" reported an error', exitCode: 1 } }
      ])
    })
  )

  it.live("arguments that the tool's schema refuses are never sent, and the message lists the fields", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const { run } = yield* withServer(server.url)
      const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
        [["region"], 'it needs "region"'],
        [["slow", "ms=soon"], '"ms" must be '],
        [["region", "region=x", "--args", "{}"], "not both"],
        [["region", "--args", "{"], "--args is not JSON"],
        [["region", "region"], '"region" is not key=value'],
        [["nope"], '"api" has no tool "nope"; it has: echo, ']
      ]
      for (const [args, says] of wrong) {
        const ended = yield* run(["call", "api", ...args])
        expect(ended).toMatchObject({ code: 2, stdout: "" })
        expect(ended.stderr).toContain(says)
      }
      expect((yield* run(["call", "api", "region"])).stderr).toContain("it takes:\n  region (string, required)")
      expect((yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")).toEqual([])
    })
  )

  it.live("a refused credential has code 3 and names its source", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern", accept: () => 401 })
      const { json } = yield* withServer(server.url, { headers: { Authorization: "Bearer wrong-token-12345" } })
      const ended = yield* json(["call", "api", "echo"])
      expect(ended).toMatchObject({ code: 3, stdout: "" })
      expect(errorsOf(ended)).toEqual([
        { error: { code: "Unauthorized", message: expect.stringContaining("credential from static"), exitCode: 3 } }
      ])
      yield* server.demand(() => 403)
      expect((yield* json(["tools", "api"])).code).toBe(3)
    })
  )

  it.live("a server that is not there, or does not answer in time, has code 4", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const gone = yield* withServer("http://127.0.0.1:9/mcp")
      const refused = yield* gone.json(["tools", "api"])
      expect(refused.code).toBe(4)
      expect(errorsOf(refused)).toMatchObject([{ error: { code: "Unreachable", exitCode: 4 } }])
      yield* server.respondNext({ hang: "before headers", times: 10 })
      const { json } = yield* withServer(server.url, { timeout: 500 })
      const silent = yield* json(["tools", "api"])
      expect(silent.code).toBe(4)
      expect(errorsOf(silent)).toMatchObject([{ error: { code: "CallTimedOut" } }])
    })
  )

  it.live("a redirect to another origin has code 2 and says what to configure; no header goes there", () =>
    Effect.gen(function* () {
      const target = yield* RecordingServer.make()
      const server = yield* RecordingServer.make({ status: 307, headers: { location: target.url } })
      const { json } = yield* withServer(server.url, { headers: { "X-Api-Key": "secret-of-the-first" } })
      const ended = yield* json(["tools", "api"])
      expect(ended.code).toBe(2)
      expect(errorsOf(ended)).toMatchObject([{ error: { code: "RedirectRefused" } }])
      expect(yield* target.requests).toEqual([])
    })
  )

  it.live("a program that is no MCP server and ends is code 4", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.writeOwn("letterhead.json", { mcpServers: { files: { command: "true" } } })
      const ended = yield* someone.json(["tools", "files"])
      expect(ended.code).toBe(4)
      expect(errorsOf(ended)).toMatchObject([{ error: { code: "ProgramEnded" } }])
    })
  )
})
