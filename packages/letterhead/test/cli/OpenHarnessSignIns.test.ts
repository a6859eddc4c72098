/** Sign-ins that OpenHarness keeps, with its own configuration, as a person meets them who comes from there. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as AuthorizationServer from "./support/AuthorizationServer.ts"
import { person, type Person } from "./support/Command.ts"

const { CANARY } = AuthorizationServer

const configuration = (url: string) => `mcpServers:\n  - name: notes\n    type: http\n    url: ${url}\n`

const fileOf = (of: Person) => join(of.home, ".oh/credentials/mcp/notes.json")

const put = (file: string, text: string) =>
  Effect.sync(() => {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode: 0o600 })
  })

/** A person who signed in with OpenHarness, and who looked at what its configuration says where `approved`. */
const someone = Effect.fnUntraced(function* (approved = true) {
  const server = yield* AuthorizationServer.make()
  const of = yield* person
  const tokens = yield* server.issue
  yield* of.writeOwn("letterhead.json", { mcpServers: {}, credentials: { storage: "filesystem" } })
  yield* of.write(".oh/config.yaml", configuration(server.url))
  yield* put(fileOf(of), JSON.stringify({ tokens, clientInformation: { client_id: "client-1" } }))
  if (approved) yield* of.approve("notes")
  return { server, of, before: readFileSync(fileOf(of), "utf8") }
})

const call = (of: Person) => of.run(["call", "notes", "echo", "message=hello"])

describe.concurrent("the sign-ins of OpenHarness", () => {
  it.live("are used as they are, and nothing is stored as long as nothing changes", () =>
    Effect.gen(function* () {
      const { before, of, server } = yield* someone()
      const ended = yield* call(of)
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect((yield* of.run(["servers"])).stdout).toMatch(/^notes .*signed in, expires in 59 min/m)
      expect(server.grants).toEqual([])
      expect(readFileSync(fileOf(of), "utf8")).toBe(before)
      expect((yield* of.run(["auth", "inspect", "notes"])).stdout).toContain("it comes from OpenHarness")
    })
  )

  it.live("move here when they are renewed, with a warning before, and OpenHarness's file is left as it is", () =>
    Effect.gen(function* () {
      const { before, of, server } = yield* someone()
      yield* server.expire
      const first = yield* call(of)
      expect(first.code).toBe(0)
      expect(first.stderr).toContain("signs OpenHarness itself out")
      const second = yield* call(of)
      expect(second).toMatchObject({ code: 0, stderr: "" })
      expect(server.grants).toEqual(["refresh_token"])
      // From here on it is a sign-in like any other.
      yield* server.expire
      const third = yield* call(of)
      expect(third).toMatchObject({ code: 0, stderr: "" })
      expect(server.grants).toEqual(["refresh_token", "refresh_token"])
      expect(readFileSync(fileOf(of), "utf8")).toBe(before)
      const inspected = yield* of.json(["auth", "inspect", "notes"])
      expect(inspected.value).toMatchObject({ issuer: server.origin, resource: server.url, clientId: "client-1" })
      for (const { stderr, stdout } of [first, second, third, inspected]) expect(stdout + stderr).not.toContain(CANARY)
    })
  )

  it.live("are not used any more after logout, which leaves them to OpenHarness", () =>
    Effect.gen(function* () {
      const { before, of } = yield* someone()
      const ended = yield* of.run(["logout", "notes"])
      expect(ended.code).toBe(0)
      expect(ended.stdout).toContain("OpenHarness still is")
      expect(readFileSync(fileOf(of), "utf8")).toBe(before)
      const called = yield* call(of)
      expect(called.code).toBe(3)
      expect(called.stderr).toContain("letterhead login notes")
      expect((yield* of.run(["servers"])).stdout).toContain("needs login: letterhead login notes")
    })
  )

  it.live("F81: a project's file gets none before the person approves the server", () =>
    Effect.gen(function* () {
      const { of, server } = yield* someone(false)
      const refused = yield* call(of)
      expect(refused.code).toBe(3)
      expect(refused.stderr).toContain("letterhead trust approve notes")
      expect((yield* server.requests).some(({ headers }) => headers.has("authorization"))).toBe(false)
      yield* of.approve("notes")
      expect(yield* call(of)).toMatchObject({ code: 0 })
      // Another URL under the same name is another server, and was not approved.
      const other = yield* AuthorizationServer.make()
      yield* of.write(".oh/config.yaml", configuration(other.url))
      expect((yield* call(of)).code).toBe(3)
      expect((yield* other.requests).some(({ headers }) => headers.has("authorization"))).toBe(false)
    })
  )

  it.live("are no sign-ins where the file is corrupt", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      yield* put(fileOf(of), '{"access_token": ')
      const ended = yield* call(of)
      expect(ended.code).toBe(3)
      expect(ended.stderr).toContain("nobody is signed in")
    })
  )
})
