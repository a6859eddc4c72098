/** `letterhead login`, `logout`, `auth inspect` and what `servers` says of them, as a person runs them. */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BoundTokens from "../../e2e/support/BoundTokens.ts"
import * as AuthorizationServer from "../support/AuthorizationServer.ts"
import * as Browser from "../support/Browser.ts"
import { errorsOf, person, type Person } from "../support/Command.ts"
import { atTerminal, hasTerminal } from "../support/Terminal.ts"

const { CANARY } = AuthorizationServer

/** A person who has a server that asks for a sign-in, and a browser in which somebody agrees to everything. */
const someone = Effect.fnUntraced(function* (url: string, entry: object = {}, storage = "filesystem") {
  const made = yield* person
  yield* made.writeOwn("letterhead.json", { mcpServers: { notes: { url, ...entry } }, credentials: { storage } })
  return { ...made, browser: yield* Browser.install(made) }
})

const login = (of: Person & { readonly browser: Readonly<Record<string, string>> }) =>
  of.run(["login", "notes"], { env: of.browser })

/** The text of all files of a person. */
const keptBy = ({ home }: Person): string =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .map((file) => (file.isFile() ? readFileSync(join(file.parentPath, file.name), "utf8") : ""))
    .join("\n")

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

const authorizationOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "servers" in value && Array.isArray(value.servers)
    ? value.servers[0]?.authorization
    : undefined

describe.concurrent("letterhead login", () => {
  it.live("signs in through the browser, after which calls carry the token, and no token is shown anywhere", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      const before = yield* of.run(["call", "notes", "echo", "message=hello", "--json"])
      expect(before.code).toBe(3)
      expect(errorsOf(before).at(-1)).toMatchObject({
        error: { code: "SignInRequired", message: expect.stringContaining("letterhead login notes") }
      })
      const ended = yield* login(of)
      expect(ended).toMatchObject({ code: 0 })
      expect(ended.stdout).toBe(`Signed in at "notes" by ${server.origin}; it is renewed by itself.\n`)
      const called = yield* of.run(["call", "notes", "echo", "message=hello", "--verbose"])
      expect(called.code).toBe(0)
      const listed = yield* of.run(["servers"])
      expect(listed.stdout).toMatch(/^notes +auto +http.* signed in, expires in 59 min +own/m)
      const states = yield* of.json(["servers"])
      expect(authorizationOf(states.value)).toEqual({
        state: "signed in",
        renewable: true,
        expiresAt: expect.stringMatching(/^\d{4}-/)
      })
      const inspected = yield* of.run(["auth", "inspect", "notes"])
      expect(inspected.stdout).toMatch(/^issuer +http/m)
      expect(inspected.stdout).toMatch(/^scope +notes:read$/m)
      expect(inspected.stdout).toMatch(/^claim sub +ada$/m)
      expect(inspected.stdout).toMatch(/^claim exp +4102444800 \(2100-01-01T00:00:00.000Z\)$/m)
      const document = yield* of.json(["auth", "inspect", "notes"])
      expect(document.value).toMatchObject({
        server: "notes",
        issuer: server.origin,
        resource: server.url,
        scope: "notes:read",
        tokenType: "Bearer",
        expired: false,
        renewable: true,
        claims: { sub: "ada" }
      })
      const credentials = yield* of.run(["credential", "list"])
      expect(credentials.stdout).toBe("No server asks for credentials.\n")
      const shown = yield* of.run(["headers", "notes", "--json"])
      for (const { stderr, stdout } of [
        before,
        ended,
        called,
        listed,
        states,
        inspected,
        document,
        credentials,
        shown
      ]) {
        expect(stdout + stderr).not.toContain(CANARY)
      }
    })
  )

  it.live("binds the token to a key where the server asks for that; neither key nor proof is shown anywhere", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "demanded" })
      const of = yield* someone(server.url)
      expect(yield* login(of)).toMatchObject({ code: 0 })
      const called = yield* of.run(["call", "notes", "echo", "message=hello", "--verbose"])
      expect(called.code).toBe(0)
      expect(server.violations).toEqual([])
      const [, thumbprint = ""] = server.grants[0] ?? []
      const inspected = yield* of.run(["auth", "inspect", "notes"])
      expect(inspected.stdout).toContain(`DPoP, bound to the key ${thumbprint}`)
      expect((yield* of.json(["auth", "inspect", "notes"])).value).toMatchObject({
        tokenType: "DPoP",
        boundTo: thumbprint
      })
      const headers = yield* of.run(["headers", "notes"])
      expect(headers.stdout).toContain("with a proof for each request")
      const secret = /\\"d\\":\\"([\w-]+)\\"/.exec(keptBy(of))?.[1] ?? ""
      expect(secret.length).toBeGreaterThan(20)
      const proofs = server.seen.flatMap(({ proof }) => (proof === undefined ? [] : [proof]))
      expect(proofs.length).toBeGreaterThan(0)
      for (const { stderr, stdout } of [called, inspected, headers]) {
        for (const hidden of [secret, ...proofs]) expect(stdout + stderr).not.toContain(hidden)
      }
      expect(yield* of.run(["logout", "notes"])).toMatchObject({ code: 0 })
      expect(keptBy(of)).not.toContain(secret)
    })
  )

  it.live("forces a fresh sign-in where somebody is signed in already", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      yield* login(of)
      const again = yield* of.json(["login", "notes"], { env: of.browser })
      expect(again.value).toMatchObject({ server: "notes", issuer: server.origin, renewable: true })
      expect(errorsOf(again)).toMatchObject([{ signIn: { step: "Browser", address: expect.stringMatching(/^http/) } }])
      expect(server.grants).toEqual(["authorization_code", "authorization_code"])
    })
  )

  it.live("without a browser and without a terminal says at once what is missing, and what else to do", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      const here = yield* of.run(["login", "notes"], { env: { PATH: join(of.home, "none") } })
      expect(here.code).toBe(3)
      expect(here.stderr).toContain("no browser was opened")
      expect(here.stderr).toContain("letterhead login notes")
      const elsewhere = yield* of.run(["login", "notes", "--no-browser"])
      expect(elsewhere.code).toBe(3)
      expect(elsewhere.stderr).toContain("there is no terminal")
      expect(server.grants).toEqual([])
    })
  )

  it.live("is what a refused call asks for beside a helper that prints no Authorization, once that was run again", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url, { headersHelper: { command: ["./helper"] } })
      const helper = `#!/bin/sh\necho run >>'${join(of.home, "runs")}'\necho '{"X-Region": "north"}'\n`
      yield* of.writeOwn("helper", helper)
      chmodSync(join(of.home, ".config/letterhead/helper"), 0o755)
      const refused = yield* of.json(["call", "notes", "echo", "message=hello"])
      expect(refused.code).toBe(3)
      expect(errorsOf(refused).at(-1)).toMatchObject({
        error: { code: "SignInRequired", message: expect.stringContaining("letterhead login notes") }
      })
      expect(readFileSync(join(of.home, "runs"), "utf8")).toBe("run\nrun\n")
      expect((yield* server.requests).map(({ headers, status }) => [status, headers.get("x-region")])).toEqual([
        [401, "north"],
        [401, "north"]
      ])
      expect(yield* login(of)).toMatchObject({ code: 0 })
      expect(yield* of.run(["call", "notes", "echo", "message=hello"])).toMatchObject({ code: 0 })
      const last = (yield* server.requests).at(-1)
      expect(last?.headers.get("x-region")).toBe("north")
      expect(last?.headers.get("authorization")).toMatch(/^Bearer /)
    })
  )

  it.live("refuses where a sign-in would be of no use, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const entries: ReadonlyArray<readonly [entry: object, says: string]> = [
        [{ headers: { Authorization: "Bearer own" } }, "a header of the entry"],
        [{ auth: "none" }, `"auth": "none"`]
      ]
      for (const [entry, says] of entries) {
        const ended = yield* Effect.flatMap(someone(server.url, entry), login)
        expect(ended).toMatchObject({ code: 2, stdout: "" })
        expect(ended.stderr).toContain(says)
      }
      expect(yield* server.requests).toEqual([])
    })
  )
})

describe.skipIf(!hasTerminal).concurrent("letterhead login at a terminal", () => {
  it.live("a pasted address of 8,192 characters signs in, and none of it is shown", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url)
      const ended = yield* atTerminal(of, ["login", "notes", "--no-browser"], {
        question: "The address (not shown):",
        answer: async (screen) => {
          const address = /^ {2}(http\S+)/m.exec(screen.replaceAll("\r", ""))?.[1] ?? ""
          const { headers } = await fetch(address, { redirect: "manual" })
          const back = `${headers.get("location")}&pad=`
          return `${back.padEnd(8_192, "x")}\r`
        }
      })
      expect(ended.screen).toContain(`Signed in at "notes"`)
      expect(ended.code).toBe(0)
      expect(ended.screen).not.toContain(CANARY)
    })
  )

  it.live("without a browser a code is shown where the authorization server has that", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make({ device: true })
      const of = yield* someone(server.url)
      const ended = yield* atTerminal(of, ["login", "notes", "--no-browser"])
      expect(ended.screen).toContain("WDJB-MJHT")
      expect(ended.screen).toContain(`Signed in at "notes"`)
      expect(ended.screen).not.toContain(CANARY)
      expect(server.grants).toEqual(["urn:ietf:params:oauth:grant-type:device_code"])
    })
  )

  it.live("a call signs in by itself where the server asks for it, whatever a helper prints but an Authorization", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make()
      const of = yield* someone(server.url, { headersHelper: { command: ["/bin/echo", `{"X-Region": "north"}`] } })
      const ended = yield* atTerminal(of, ["call", "notes", "echo", "message=hello"], { env: of.browser })
      expect(ended.screen).toContain("in the browser")
      expect(ended.screen).toContain("hello")
      expect(ended.code).toBe(0)
      expect(ended.screen).not.toContain(CANARY)
    })
  )
})

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
