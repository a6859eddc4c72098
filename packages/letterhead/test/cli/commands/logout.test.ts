/** `letterhead logout`, as a person runs it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BoundTokens from "../../e2e/support/BoundTokens.ts"
import * as AuthorizationServer from "../support/AuthorizationServer.ts"
import { type Person } from "../support/Command.ts"
import { login, someone } from "../support/Someone.ts"

const { CANARY } = AuthorizationServer

/** Makes of the key that each token is bound to something that is none. */
const spoilKeys = ({ home }: Person): void => {
  for (const file of readdirSync(home, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    if (!file.isFile() || !file.name.endsWith(".json")) continue
    const text = readFileSync(path, "utf8")
    const spoilt = text.replace(/(\\"kty\\":\\")EC/, "$1none")
    if (spoilt !== text) writeFileSync(path, spoilt)
  }
}

describe.concurrent("letterhead logout", () => {
  it.live("takes the tokens away, without a network too", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      yield* login(of)
      yield* server.stop
      const ended = yield* of.json(["logout", "notes"])
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.value).toMatchObject({ server: "notes", revoked: false })
      expect(server.revoked).toEqual([])
      const inspected = yield* of.run(["auth", "inspect", "notes"])
      expect(inspected.code).toBe(3)
      expect(inspected.stderr).toContain("letterhead login notes")
      expect(yield* of.run(["logout", "notes"])).toMatchObject({
        code: 0,
        stdout: `Nobody was signed in at "notes".\n`
      })
      expect(ended.stdout + inspected.stderr).not.toContain(CANARY)
    })
  )

  it.live("--revoke makes both tokens void at the authorization server", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      yield* login(of)
      const ended = yield* of.run(["logout", "notes", "--revoke"])
      expect(ended).toEqual({ code: 0, stderr: "", stdout: `Signed out of "notes", and the tokens are void.\n` })
      expect(server.revoked).toEqual(["refresh_token", "access_token"])
    })
  )

  it.live("--revoke says so where the authorization server revokes nothing", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make({ revocation: undefined })
      const of = yield* someone(server.url)
      yield* login(of)
      const ended = yield* of.run(["logout", "notes", "--revoke"])
      expect(ended.code).toBe(0)
      expect(ended.stderr).toContain("revokes nothing")
    })
  )

  it.live("--revoke says so where the key of the tokens was spoilt, and blames no authorization server", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const of = yield* someone(server.url)
      yield* login(of)
      spoilKeys(of)
      const ended = yield* of.run(["logout", "notes", "--revoke"])
      expect(ended).toMatchObject({ code: 0, stdout: `Signed out of "notes".\n` })
      expect(ended.stderr).toContain(
        'no token of "notes" was revoked: the key that its token is bound to is missing or broken; those that were given'
      )
      expect(ended.stderr).not.toContain("revokes nothing")
    })
  )

  it.live("F78: --revoke without a network removes the tokens here, and says that they stay valid", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      yield* login(of)
      yield* server.stop
      const ended = yield* of.run(["logout", "notes", "--revoke"])
      expect(ended).toMatchObject({ code: 4, stdout: "" })
      expect(ended.stderr).toContain("were not revoked")
      expect(ended.stderr).toContain("They are gone from this machine, and stay valid")
      expect(ended.stderr).not.toContain(CANARY)
      expect((yield* of.run(["auth", "inspect", "notes"])).code).toBe(3)
    })
  )

  it.live("F78: where the keychain cannot be reached, the error says that it still holds the tokens", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url, {}, "auto")
      yield* login(of)
      const hanging = yield* deafBus(join(of.home, "bus"))
      yield* pretendKept(of)
      const ended = yield* of.run(["logout", "notes"], { env: { DBUS_SESSION_BUS_ADDRESS: `unix:path=${hanging}` } })
      expect(ended.code).toBe(2)
      expect(ended.stderr).toContain("keychain cannot be reached and still holds oauth tokens")
      expect(ended.stderr).not.toContain(CANARY)
      expect((yield* of.run(["auth", "inspect", "notes"])).code).toBe(3)
    })
  )
})

/** A session bus that accepts and never answers. */
const deafBus = (path: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly path: string; readonly close: () => void }>((resume) => {
      const server = createServer()
      server.listen(path, () => resume(Effect.succeed({ path, close: () => void server.close() })))
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map((bus) => bus.path))

/** Makes the folder say that the keychain has what it keeps, as it does after the keychain took it. */
const pretendKept = (of: Person) =>
  Effect.promise(async () => {
    const { readFile, readdir, writeFile } = await import("node:fs/promises")
    const folder = join(of.home, ".local/share/letterhead/credentials")
    for (const name of (await readdir(folder)).filter((one) => one.endsWith(".json"))) {
      const record: { content: object } = JSON.parse(await readFile(join(folder, name), "utf8"))
      await writeFile(join(folder, name), JSON.stringify({ ...record, content: { keptIn: "keychain" } }))
    }
  })
