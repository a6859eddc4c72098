/** `letterhead login`, `auth inspect` and what `servers` says of them, as a person runs them. */
import { chmodSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BoundTokens from "../../e2e/support/BoundTokens.ts"
import * as AuthorizationServer from "../support/AuthorizationServer.ts"
import { errorsOf } from "../support/Command.ts"
import { atTerminal, describeAtTerminal } from "../support/Terminal.ts"
import { keptBy, login, someone } from "../support/Someone.ts"

const { CANARY } = AuthorizationServer

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

describeAtTerminal("letterhead login at a terminal", () => {
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
