/** F50: what a person's headers hold is in no output of the command, whatever goes wrong and however much it logs. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { describe, expect, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { echoAuthorization } from "@letterhead/testing/LoopbackServerFault"
import * as Effect from "effect/Effect"
import { person, type Person } from "./support/Command.ts"

const FROM_HELPER = "canary-of-the-helper-7f3a91"
const FROM_HEADER = "canary-of-the-header-c02b55"
const FROM_VARIABLE = "canary-of-the-variable-19de84"
const FROM_URL = "canary-of-the-url-5b7d20"
const CANARIES = [FROM_HELPER, FROM_HEADER, FROM_VARIABLE, FROM_URL]

const FOR_PEOPLE = ["--verbose"]
const FOR_PROGRAMS = ["--verbose", "--json"]

const VERBS: ReadonlyArray<ReadonlyArray<string>> = [
  ["servers", ...FOR_PEOPLE],
  ["headers", "api", ...FOR_PEOPLE],
  ["headers", "api", ...FOR_PROGRAMS],
  ["tools", "api", ...FOR_PEOPLE],
  ["call", "api", "echo", "a=1", ...FOR_PEOPLE],
  ["call", "api", "echo", "a=1", ...FOR_PROGRAMS],
  ["trust", "approve", "api", ...FOR_PEOPLE],
  ["trust", "list", ...FOR_PROGRAMS],
  ["config", "check", ...FOR_PROGRAMS]
]

/** All that the verbs write, at the most talkative level. */
const written = Effect.fnUntraced(function* (someone: Person, verbs: ReadonlyArray<ReadonlyArray<string>>) {
  let text = ""
  for (const verb of verbs) {
    const ended = yield* someone.run(verb, { env: { API_SECRET: FROM_VARIABLE } })
    text += ended.stdout + ended.stderr
  }
  return text
})

const configured = Effect.fnUntraced(function* (someone: Person, url: string, script: string) {
  yield* someone.program("headers.sh", `#!/bin/sh\necho 'noise ${FROM_HELPER}' >&2\n${script}\n`)
  yield* someone.write(".mcp.json", {
    mcpServers: {
      api: {
        type: "http",
        url: `${url}?key=${FROM_URL}`,
        headers: { "X-Api-Key": FROM_HEADER, "X-Variable": "${API_SECRET}" },
        headersHelper: "./headers.sh"
      }
    }
  })
  const asked = yield* someone.json(["trust", "approve", "api"], { env: { API_SECRET: FROM_VARIABLE } })
  const digest = /sha256:[0-9a-f]{64}/.exec(asked.stdout)?.[0] ?? ""
  yield* someone.run(["trust", "approve", "api", "--digest", digest], { env: { API_SECRET: FROM_VARIABLE } })
})

const digestIn = (text: string): string => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? ""

/** What is in the files of a person beside those of their project. */
const kept = (someone: Person) =>
  Effect.sync(() =>
    readdirSync(someone.home, { recursive: true, withFileTypes: true })
      .filter((found) => found.isFile())
      .map((found) => `${found.name}\n${readFileSync(join(found.parentPath, found.name), "latin1")}`)
      .join("\n")
  )

/** Kills a process as soon as there is that file. */
const killOnce = async (file: string, pid: number): Promise<void> => {
  while (!existsSync(file)) await setTimeout(10)
  process.kill(pid, "SIGKILL")
}

const expectNone = (text: string) => {
  expect(text).not.toBe("")
  for (const canary of CANARIES) expect(text).not.toContain(canary)
}

const GOOD = `echo '{"Authorization": "Bearer ${FROM_HELPER}"}'`

describe.concurrent("secrets", () => {
  it.live("F50: where everything works, they reach the server and no output", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const someone = yield* person
      yield* configured(someone, server.url, GOOD)
      expectNone(yield* written(someone, VERBS))
      const call = (yield* server.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      expect(call?.headers.get("authorization")).toBe(`Bearer ${FROM_HELPER}`)
      expect(call?.headers.get("x-api-key")).toBe(FROM_HEADER)
      expect(call?.headers.get("x-variable")).toBe(FROM_VARIABLE)
    })
  )

  const network: ReadonlyArray<ReadonlyArray<string>> = [
    ["tools", "api", ...FOR_PROGRAMS],
    ["call", "api", "echo", ...FOR_PEOPLE]
  ]

  it.live("F50, F83: a 401 whose body repeats the credential shows it nowhere", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const someone = yield* person
      yield* configured(someone, server.url, GOOD)
      for (const status of [401, 403, 500]) {
        yield* server.clearFaults
        yield* server.respondNext({ ...echoAuthorization(status), times: 100 })
        const text = yield* written(someone, network)
        expectNone(text)
        expect(text).toContain(String(status))
      }
    })
  )

  it.live("F50, F40, F41, F81: what nobody approved, or two approve at once, shows it nowhere", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const someone = yield* person
      yield* configured(someone, server.url, GOOD)
      const revoked = yield* someone.run(["trust", "revoke", "api", ...FOR_PEOPLE])
      expectNone(revoked.stdout + revoked.stderr)
      expectNone(
        yield* written(someone, [
          ["call", "api", "echo", ...FOR_PEOPLE],
          ["headers", "api", ...FOR_PROGRAMS]
        ])
      )
      expect(yield* server.requests).toEqual([])
      const approve = (...more: ReadonlyArray<string>) =>
        written(someone, [["trust", "approve", "api", ...more, ...FOR_PROGRAMS]])
      const denied = yield* approve()
      const both = yield* Effect.all(
        [approve("--digest", digestIn(denied)), approve("--digest", digestIn(denied)), approve("--digest", "sha256:0")],
        { concurrency: "unbounded" }
      )
      for (const text of [denied, ...both]) expectNone(text)
      const files = yield* kept(someone)
      expectNone(files)
      expect(files).toContain(digestIn(denied))
    })
  )

  it.live("F50, F30: where the command is killed while a helper runs, it is left in no file", () =>
    Effect.gen(function* () {
      const someone = yield* person
      const slow = `touch '${someone.home}/started'\nsleep 2\n${GOOD}`
      yield* configured(someone, "http://127.0.0.1:9/mcp", slow)
      const ended = yield* someone.run(["headers", "api", ...FOR_PEOPLE], {
        env: { API_SECRET: FROM_VARIABLE },
        started: (pid) => void killOnce(join(someone.home, "started"), pid)
      })
      expect(ended.code).toBeUndefined()
      for (const canary of CANARIES) expect(ended.stdout + ended.stderr).not.toContain(canary)
      expectNone(yield* kept(someone))
    })
  )

  const failures: ReadonlyArray<readonly [what: string, script: string]> = [
    ["exits 3 after printing", `${GOOD}; exit 3`],
    ["prints it outside JSON", `echo 'token ${FROM_HELPER}'`],
    ["prints it with a line break", `printf '%s' '{"A": "${FROM_HELPER}\\n"}'`],
    ["prints it under a name of the protocol", `echo '{"Host": "${FROM_HELPER}"}'`],
    ["is killed while it runs", `${GOOD}; kill -9 $$`]
  ]
  for (const [what, script] of failures) {
    it.live(`F50: a helper that ${what} shows it nowhere`, () =>
      Effect.gen(function* () {
        const someone = yield* person
        yield* configured(someone, "http://127.0.0.1:9/mcp", script)
        const text = yield* written(someone, [
          ["headers", "api", ...FOR_PEOPLE],
          ["tools", "api", ...FOR_PROGRAMS]
        ])
        expectNone(text)
        expect(text).toContain("source helper")
      })
    )
  }
})
