/** Signing in where a part of what it needs is missing: a browser, a terminal, a keychain, a home that can be written. */
import { readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import * as AuthorizationServer from "./support/AuthorizationServer.ts"
import * as Browser from "./support/Browser.ts"
import { errorsOf, person } from "./support/Command.ts"
import { atTerminal, describeAtTerminal } from "./support/Terminal.ts"

/** A person who has a server that asks for a sign-in. */
const someone = Effect.fnUntraced(function* (behaviour: AuthorizationServer.Behaviour = {}, storage = "filesystem") {
  const server = yield* AuthorizationServer.make(behaviour)
  const of = yield* person
  yield* of.writeOwn("letterhead.json", { mcpServers: { notes: { url: server.url } }, credentials: { storage } })
  return { server, of }
})

describe.concurrent("without a terminal", () => {
  for (const device of [false, true]) {
    const where = device ? ", also where a code could be entered" : ""
    it.live(`and without a browser, signing in ends at once and says how to go on${where}`, () =>
      Effect.gen(function* () {
        const { of, server } = yield* someone({ device })
        const text = yield* of.run(["login", "notes"])
        expect(text).toMatchObject({ code: 3, stdout: "" })
        expect(text.stderr).toMatch(/no browser was opened.*no terminal.*--no-browser.*letterhead login notes/)
        const json = yield* of.json(["login", "notes"])
        expect(json).toMatchObject({ code: 3, stdout: "" })
        expect(errorsOf(json).at(-1)).toMatchObject({
          error: { code: "SignInRequired", message: expect.stringContaining("no browser was opened") }
        })
        expect(server.grants).toEqual([])
      })
    )

    it.live(`--no-browser ends at once, and asks the authorization server for nothing but its metadata${where}`, () =>
      Effect.gen(function* () {
        const { of, server } = yield* someone({ device })
        const text = yield* of.run(["login", "notes", "--no-browser"])
        expect(text).toMatchObject({ code: 3, stdout: "" })
        expect(text.stderr).toMatch(/there is no terminal.*letterhead login notes/)
        const json = yield* of.json(["login", "notes", "--no-browser"])
        expect(json).toMatchObject({ code: 3, stdout: "" })
        expect(errorsOf(json)).toMatchObject([{ error: { code: "SignInRequired" } }])
        expect(server.asked.filter((path) => path !== "/resource" && !path.startsWith("/.well-known/"))).toEqual([])
      })
    )
  }

  it.live("a program that reads along is told of the browser that was opened", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      const ended = yield* of.json(["login", "notes"], { env: yield* Browser.install(of) })
      expect(ended).toMatchObject({ code: 0, value: { server: "notes" } })
      expect(errorsOf(ended)).toMatchObject([{ signIn: { step: "Browser", address: expect.stringMatching(/^http/) } }])
    })
  )
})

describeAtTerminal("without a browser, at a terminal", () => {
  it.live("the address is shown, and --no-browser named", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      const ended = yield* atTerminal(of, ["login", "notes"], { question: "--no-browser", answer: "\u0003" })
      expect(ended.screen).toMatch(/^ {2}http:\S+\/authorize\?/m)
      expect(ended.screen).toContain("letterhead login notes --no-browser")
      expect(ended.code).toBe(130)
    })
  )

  it.live("--no-browser --json shows and asks in JSON, and takes what is pasted", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      const ended = yield* atTerminal(of, ["login", "notes", "--no-browser", "--json"], {
        question: "The address (not shown):",
        answer: async (screen) => {
          const { headers } = await fetch(/"address":"([^"]+)"/.exec(screen)?.[1] ?? "", { redirect: "manual" })
          return `${headers.get("location")}\r`
        }
      })
      expect(ended.screen).toContain(`"step":"Redirect"`)
      expect(ended.screen).toContain(`{"question":{"message":"The address (not shown):"}}`)
      expect(ended.screen).toContain(`"renewable": true`)
      expect(ended.screen).not.toContain(AuthorizationServer.CANARY)
      expect(ended.code).toBe(0)
    })
  )
})

describe.concurrent("without a keychain", () => {
  it.live("a sign-in is kept in private files, which is said with what to do, and used from there", () =>
    Effect.gen(function* () {
      const { of } = yield* someone({}, "auto")
      const folder = join(of.home, ".local/share/letterhead/credentials")
      const ended = yield* of.run(["login", "notes"], { env: yield* Browser.install(of) })
      expect(ended.code).toBe(0)
      expect(ended.stderr).toContain("the keychain is not there")
      expect(ended.stderr).toContain(`files that only you can read, in ${folder}`)
      expect(ended.stderr).toContain(`"storage": "filesystem"`)
      const files = readdirSync(folder)
      expect(files).not.toEqual([])
      for (const name of files) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
      expect(yield* of.run(["call", "notes", "echo", "message=hello"])).toMatchObject({ code: 0 })
    })
  )
})

describe.concurrent("with a home that cannot be written", () => {
  /** Some hold for root as well. */
  const homes: ReadonlyArray<readonly [home: string, what: string]> = [
    ["/sys", "cannot be created; check its permissions"],
    ["/proc", "cannot be created; check"]
  ]
  for (const [home, said] of process.platform === "linux" ? homes : []) {
    for (const storage of ["filesystem", "auto"]) {
      it.live(`nobody is asked to sign in (${home}, ${storage}), and another folder for secrets is a way on`, () =>
        Effect.gen(function* () {
          const { of, server } = yield* someone({}, storage)
          const browser = yield* Browser.install(of)
          const env = { ...browser, HOME: home, XDG_CONFIG_HOME: join(of.home, ".config") }
          const ended = yield* of.run(["login", "notes"], { env })
          expect(ended).toMatchObject({ code: 2, stdout: "" })
          expect(ended.stderr).toContain(`the secret store ${home}/.local/share/letterhead/credentials ${said}`)
          expect(ended.stderr).toMatch(/nobody was asked.*XDG_DATA_HOME/)
          expect(server.asked).toEqual([])
          const elsewhere = { ...env, XDG_DATA_HOME: join(of.home, "data") }
          expect(yield* of.run(["login", "notes"], { env: elsewhere })).toMatchObject({ code: 0 })
          expect(yield* of.run(["call", "notes", "echo", "message=hello"], { env: elsewhere })).toMatchObject({
            code: 0
          })
        })
      )
    }
  }

  it.live("calls that need no sign-in work, and one that does says where nothing can be kept", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      const open = yield* RecordingServer.make()
      const url = `${open.url}mcp`
      yield* of.write(".mcp.json", { mcpServers: { open: { type: "http", url } } })
      writeFileSync(join(of.home, ".local"), "a file in the folder's place")
      const shown = yield* of.run(["headers", "open"])
      expect(shown.code).toBe(0)
      const refused = yield* of.run(["call", "notes", "echo", "message=hello"])
      expect(refused).toMatchObject({ code: 2, stdout: "" })
      expect(refused.stderr).toContain("check that nothing else, such as a folder or a link, is in its place")
    })
  )
})
