/** `letterhead credential`, as a person runs it. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import { errorsOf, person, type Person } from "../support/Command.ts"
import { atTerminal, describeAtTerminal } from "../support/Terminal.ts"

const KEY = "canary-of-the-api-key-5f0e"
const TOKEN = "canary-of-the-token-81bc"
const url = "http://127.0.0.1:9/mcp"

const userConfig = {
  API_KEY: {
    title: "API key",
    type: "string",
    description: "From your account page",
    sensitive: true,
    required: true,
    headerName: "x-api-key"
  },
  TENANT: { title: "Tenant", type: "string", default: "acme", headerName: "x-tenant", valuePrefix: "t-" },
  access_token: { title: "Token", type: "string", sensitive: true }
}

/** A person with a server that asks for three credentials, who wants them in files. */
const someone = Effect.fnUntraced(function* (at = url, storage: "auto" | "filesystem" = "filesystem") {
  const made = yield* person
  yield* made.writeOwn("letterhead.json", {
    mcpServers: { weather: { url: at, userConfig } },
    credentials: { storage }
  })
  return made
})

const folderOf = (of: Person) => join(of.home, ".local/share/letterhead/credentials")

const set = (of: Person, field: string, input: string) => of.run(["credential", "set", "weather", field], { input })

describe.concurrent("credential", () => {
  it.live("what was set from standard input is sent, and shown nowhere", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const of = yield* someone(server.url)
      const first = yield* set(of, "API_KEY", `${KEY}\n`)
      expect(first).toMatchObject({ code: 0, stderr: "" })
      expect(first.stdout).toBe(
        `API_KEY is set: kept in ${folderOf(of)}, sent to ${new URL(server.url).origin} as x-api-key.\n`
      )
      const second = yield* set(of, "access_token", TOKEN)
      const called = yield* of.run(["call", "weather", "echo", "message=hello"])
      expect(called.code).toBe(0)
      const call = (yield* server.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      expect(call?.headers.get("x-api-key")).toBe(KEY)
      expect(call?.headers.get("x-tenant")).toBe("t-acme")
      expect(call?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`)
      const shown = yield* of.run(["headers", "weather", "--verbose"])
      expect(shown.stdout).toContain("credential")
      for (const { stderr, stdout } of [first, second, called, shown]) {
        expect(stdout + stderr).not.toContain(KEY)
        expect(stdout + stderr).not.toContain(TOKEN)
      }
    })
  )

  it.live("the folder has mode 0700 and the files 0600", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      yield* set(of, "API_KEY", KEY)
      const folder = folderOf(of)
      expect(lstatSync(folder).mode & 0o777).toBe(0o700)
      const [file = "", ...more] = readdirSync(folder)
      expect(more).toEqual([])
      expect(lstatSync(join(folder, file)).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(folder, file), "utf8")).toContain(KEY)
    })
  )

  it.live("without a field standard input has a line for each, and an empty line changes nothing", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      const all = yield* of.json(["credential", "set", "weather"], { input: `${KEY}\n\n${TOKEN}\n` })
      expect(all.code).toBe(0)
      expect(all.value).toEqual({
        server: "weather",
        origin: "http://127.0.0.1:9",
        credentials: [
          { field: "API_KEY", header: "x-api-key", keptIn: folderOf(of) },
          { field: "access_token", header: "Authorization", keptIn: folderOf(of) }
        ]
      })
      const headers = yield* of.json(["headers", "weather"])
      expect(headers.value).toMatchObject({
        headers: [
          { name: "x-api-key", sent: true, source: "credential" },
          { name: "x-tenant", sent: true, source: "credential" },
          { name: "Authorization", sent: true, source: "credential" }
        ]
      })
    })
  )

  const mistakes: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, input: string, says: string]> = [
    ["an unknown server", ["set", "nope"], KEY, "nope"],
    ["an unknown field", ["set", "weather", "NOPE"], KEY, "it has: API_KEY, TENANT, access_token"],
    ["nothing on standard input", ["set", "weather", "API_KEY"], "", "standard input is empty"],
    ["too few lines", ["set", "weather"], `${KEY}\n`, "must have 3 lines"],
    ["a line break in the value", ["set", "weather", "API_KEY"], `${KEY}\n${KEY}\n`, "a value has no line break"],
    ["a blank at the end of the value", ["set", "weather", "API_KEY"], `${KEY} \n`, "no blank at its start or end"],
    ["a value that is too long", ["set", "weather", "API_KEY"], KEY.repeat(400), "at most 8192 bytes"],
    ["a value as an argument", ["set", "weather", "API_KEY", KEY], "", "Unexpected positional argument"],
    ["nothing to remove", ["remove", "weather", "API_KEY"], "", "nothing is stored for API_KEY"]
  ]
  for (const [what, args, input, says] of mistakes) {
    it.live(`${what} is an error with code 2, and nothing is stored`, () =>
      Effect.gen(function* () {
        const of = yield* someone()
        const ended = yield* of.run(["credential", ...args], { input })
        expect(ended.code).toBe(2)
        expect(ended.stdout).toBe("")
        expect(ended.stderr).toContain(says)
        if (!args.includes(KEY)) expect(ended.stderr).not.toContain(KEY)
        expect(existsSync(folderOf(of))).toBe(false)
      })
    )
  }

  it.live("a required credential that is not set stops the call, and the error names the command that sets it", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const of = yield* someone(server.url)
      const ended = yield* of.run(["call", "weather", "echo", "message=hello", "--json"])
      expect(ended.code).toBe(2)
      expect(errorsOf(ended)).toMatchObject([
        {
          error: {
            code: "CredentialMissing",
            message: expect.stringContaining("letterhead credential set weather API_KEY")
          }
        }
      ])
      expect(yield* server.requests).toEqual([])
    })
  )

  it.live("list says of each credential whether it is set, where it is kept and under which header it is sent", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      const listed = Effect.map(of.json(["credential", "list"]), ({ value }) => value)
      const origin = "http://127.0.0.1:9"
      const declared = expect.stringContaining("letterhead.json:")
      const field = (name: string, header: string, state: string, more: object = {}) => ({
        server: "weather",
        field: name,
        header,
        state,
        origin,
        declared,
        required: name === "API_KEY",
        title: expect.anything(),
        ...more
      })
      expect(yield* listed).toEqual({
        credentials: [
          field("API_KEY", "x-api-key", "not set"),
          field("TENANT", "x-tenant", "default"),
          field("access_token", "Authorization", "not set")
        ],
        others: []
      })
      expect((yield* of.run(["credential", "list"])).stdout).toContain("not set, required")
      yield* set(of, "API_KEY", KEY)
      yield* set(of, "TENANT", "other")
      expect(yield* listed).toMatchObject({
        credentials: [
          field("API_KEY", "x-api-key", "set", { keptIn: folderOf(of) }),
          field("TENANT", "x-tenant", "set", { keptIn: folderOf(of) }),
          field("access_token", "Authorization", "not set")
        ]
      })
      const table = yield* of.run(["credential", "list", "--verbose"])
      expect(table.stdout + table.stderr).not.toContain(KEY)
    })
  )

  it.live("F81: what was stored for one URL is not sent to another, and the list says for which it is", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      yield* set(of, "API_KEY", KEY)
      yield* of.writeOwn("letterhead.json", {
        mcpServers: { weather: { url: "http://localhost:9/mcp", userConfig } },
        credentials: { storage: "filesystem" }
      })
      expect((yield* of.run(["headers", "weather"])).stderr).toContain("credential set weather API_KEY")
      const { value } = yield* of.json(["credential", "list"])
      expect(value).toMatchObject({ others: [{ server: "weather", field: "API_KEY", origin: "http://127.0.0.1:9" }] })
    })
  )

  it.live(
    "F81: a project's entry gets no stored credential before it is approved, and then only its own origin's",
    () =>
      Effect.gen(function* () {
        const of = yield* someone()
        yield* set(of, "API_KEY", KEY)
        yield* of.writeOwn("letterhead.json", { mcpServers: {}, credentials: { storage: "filesystem" } })
        yield* of.write("letterhead.json", { mcpServers: { weather: { url, userConfig } } })
        const refused = yield* of.run(["headers", "weather"])
        expect(refused.code).toBe(5)
        expect(refused.stderr).toContain("stored credential: API_KEY, sent as x-api-key")
        yield* of.approve("weather")
        expect((yield* of.json(["headers", "weather"])).value).toMatchObject({
          headers: [{ name: "x-api-key", sent: true, source: "credential" }, {}, {}]
        })
      })
  )

  it.live("remove takes one credential away, or all of the server's, also of one that is no longer configured", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      yield* of.run(["credential", "set", "weather"], { input: `${KEY}\nother\n${TOKEN}\n` })
      const one = yield* of.json(["credential", "remove", "weather", "TENANT"])
      expect(one.value).toEqual({ server: "weather", origin: "http://127.0.0.1:9", removed: ["TENANT"] })
      expect(readdirSync(folderOf(of)).length).toBe(2)
      yield* of.writeOwn("letterhead.json", { mcpServers: {}, credentials: { storage: "filesystem" } })
      const all = yield* of.run(["credential", "remove", "weather"])
      expect(all.code).toBe(0)
      expect(all.stdout).toMatch(/ of "weather" for http:\/\/127\.0\.0\.1:9 removed\.\n$/)
      expect(readdirSync(folderOf(of))).toEqual([])
    })
  )

  it.live("F70: without a keychain the credential goes to a file, and each run says so once", () =>
    Effect.gen(function* () {
      const of = yield* someone(url, "auto")
      const ended = yield* of.run(["credential", "set", "weather"], { input: `${KEY}\nother\n${TOKEN}\n` })
      expect(ended.code).toBe(0)
      expect(ended.stdout).toContain(`kept in ${folderOf(of)}`)
      if (process.platform === "linux") expect(ended.stderr.match(/the keychain /g)?.length).toBe(1)
      expect(ended.stdout + ended.stderr).not.toContain(KEY)
    })
  )

  it.live("LETTERHEAD_HOME holds the credentials too", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      const env = { LETTERHEAD_HOME: join(of.home, ".config/letterhead") }
      const ended = yield* of.run(["credential", "set", "weather", "API_KEY"], { input: KEY, env })
      expect(ended.stdout).toContain(join(env.LETTERHEAD_HOME, "credentials"))
    })
  )
})

describeAtTerminal("credential set at a terminal", () => {
  it.live("a sensitive value is asked for without showing it, and one that is not sensitive is shown", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      const { code, screen } = yield* atTerminal(of, ["credential", "set", "weather"], {
        question: "API key (API_KEY) (not shown):",
        // The answers are typed ahead; a wrong key is taken back.
        answer: `${KEY}x\u007f\rvisible-tenant\r\r`
      })
      expect(code).toBe(0)
      expect(screen).toContain(`Credentials of "weather", for http://127.0.0.1:9.`)
      expect(screen).toContain("From your account page")
      expect(screen).toContain("visible-tenant")
      expect(screen).not.toContain("canary")
      const [key, tenant] = readdirSync(folderOf(of)).map((name) => readFileSync(join(folderOf(of), name), "utf8"))
      const kept = `${key}${tenant}`
      expect(kept).toContain(`"${KEY}"`)
      expect(kept).toContain('"visible-tenant"')
    })
  )

  it.live("a value that breaks a rule is asked for again", () =>
    Effect.gen(function* () {
      const of = yield* someone()
      const { code, screen } = yield* atTerminal(of, ["credential", "set", "weather", "API_KEY"], {
        question: "(not shown):",
        answer: ` ${KEY}\r${KEY}\r`
      })
      expect(code).toBe(0)
      expect(screen).toContain("no blank at its start or end")
      expect(screen).toContain("API_KEY is set")
      expect(screen).not.toContain("canary")
    })
  )

  for (const [name, key] of [
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"]
  ] as const) {
    it.live(`${name} leaves, and nothing is stored`, () =>
      Effect.gen(function* () {
        const of = yield* someone()
        const { code } = yield* atTerminal(of, ["credential", "set", "weather"], {
          question: "(not shown):",
          answer: `${KEY}\r${key}`
        })
        expect(code).toBe(130)
        expect(existsSync(folderOf(of))).toBe(false)
      })
    )
  }
})
