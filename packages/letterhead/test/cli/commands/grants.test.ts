/** Servers at which nobody signs in, since their entry names a grant: what the command does and says of them. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as AuthorizationServer from "../support/AuthorizationServer.ts"
import { type Ended, errorsOf, person } from "../support/Command.ts"

const { CANARY } = AuthorizationServer
const SECRET = `${CANARY}-secret`

/** A server whose one client gets tokens for itself, and a person whose file names it. */
const someone = Effect.fnUntraced(function* (
  oauth: object = { clientSecret: "${CRM_SECRET}" },
  behaviour: AuthorizationServer.Behaviour = {}
) {
  const server = yield* AuthorizationServer.make({ clientSecret: SECRET, refreshes: false, ...behaviour })
  const of = yield* person
  const entry = { url: server.url, oauth: { grant: "client_credentials", clientId: "workload", ...oauth } }
  yield* of.writeOwn("letterhead.json", { mcpServers: { crm: entry }, credentials: { storage: "filesystem" } })
  const run = (args: ReadonlyArray<string>, secret = SECRET) => of.run(args, { env: { CRM_SECRET: secret } })
  return { of, run, server, entry }
})

const expectNoSecret = (...ended: ReadonlyArray<Ended>) => {
  for (const { stderr, stdout } of ended) expect(stdout + stderr).not.toContain(CANARY)
}

describe.concurrent("an entry with client credentials", () => {
  it.live("is called without a person, and its state is told", () =>
    Effect.gen(function* () {
      const { run, server } = yield* someone()
      const called = yield* run(["call", "crm", "echo", "message=hello", "--verbose"])
      expect(called).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") })
      expect(server.grants).toEqual(["client_credentials"])

      const listed = yield* run(["servers"])
      expect(listed.stdout).toMatch(/^crm .* client credentials +own/m)
      const listedAsJson = yield* run(["servers", "--json"])
      expect(JSON.parse(listedAsJson.stdout).servers[0].authorization).toEqual({ state: "client credentials" })
      const headers = yield* run(["headers", "crm"])
      const left = yield* run(["logout", "crm"])
      expect(left).toMatchObject({ code: 0, stdout: expect.stringContaining(`Nobody signs in at "crm", and no token`) })
      expectNoSecret(called, listed, listedAsJson, headers, left)
    })
  )

  it.live("is tried by login, and inspected, without its token being shown", () =>
    Effect.gen(function* () {
      const { run, server } = yield* someone()
      const tried = yield* run(["login", "crm", "--verbose"])
      expect(tried).toMatchObject({ code: 0 })
      expect(tried.stdout).toMatch(
        /^Nobody has to sign in at "crm": http\S+ gives a token for [159].* \(client credentials\)\. Each run gets its own/
      )
      const triedAsJson = yield* run(["login", "crm", "--json"])
      expect(JSON.parse(triedAsJson.stdout)).toMatchObject({
        server: "crm",
        grant: "client_credentials",
        issuer: server.origin,
        scope: "notes:read",
        renewable: true
      })

      const inspected = yield* run(["auth", "inspect", "crm"])
      expect(inspected.stdout).toMatch(/^grant +client_credentials$/m)
      expect(inspected.stdout).toMatch(/^claim sub +ada$/m)
      expect(server.grants).toEqual(Array.from({ length: 3 }, () => "client_credentials"))
      expectNoSecret(tried, triedAsJson, inspected)
    })
  )

  it.live("has a token before the first request with auth oauth", () =>
    Effect.gen(function* () {
      const { entry, of, run, server } = yield* someone()
      yield* of.writeOwn("letterhead.json", { mcpServers: { crm: { ...entry, auth: "oauth" } } })
      const headers = yield* run(["headers", "crm"])
      expect(headers.stdout).toMatch(/^Authorization +•+.* oauth +client credentials at http/m)
      const called = yield* run(["call", "crm", "echo", "message=hello"])
      expect(called.code).toBe(0)
      // Each run asks once, with nothing of the entry's, where the metadata is.
      const bare = (yield* server.requests).filter((request) => !request.headers.has("authorization"))
      expect(bare).toHaveLength(2)
      expectNoSecret(headers, called)
    })
  )

  it.live("whose secret is wrong is told with the server, what was said, and what to do", () =>
    Effect.gen(function* () {
      const { run } = yield* someone()
      const wrong = `${CANARY}-wrong`
      const called = yield* run(["call", "crm", "echo", "message=hello", "--json", "--verbose"], wrong)
      expect(called.code).toBe(3)
      expect(errorsOf(called).at(-1)).toMatchObject({
        error: {
          code: "SignInFailed",
          message: expect.stringMatching(/"crm".*\(invalid_client\).*check "clientId" and "clientSecret"/)
        }
      })
      const tried = yield* run(["login", "crm", "--verbose"], wrong)
      expect(tried.code).toBe(3)
      expectNoSecret(called, tried)
    })
  )

  it.live("of a project has nothing read and nothing asked before it is approved", () =>
    Effect.gen(function* () {
      const { of, server } = yield* someone()
      writeFileSync(join(of.project, "secret"), `${SECRET}\n`)
      const oauth = { grant: "client_credentials", clientId: "workload", clientSecret: "{file:./secret}" }
      yield* of.write("letterhead.json", { mcpServers: { theirs: { url: server.url, auth: "oauth", oauth } } })
      const refused = yield* of.run(["call", "theirs", "echo", "message=hello"])
      expect(refused.code).toBe(5)
      expect((yield* of.run(["login", "theirs"])).code).toBe(5)
      expect((yield* of.run(["auth", "inspect", "theirs"])).code).toBe(5)
      expect(server.grants).toEqual([])
      const asked = yield* of.run(["trust", "approve", "theirs"])
      expect(asked.stdout + asked.stderr).toContain("gets a token for the client itself, and sends it")
      expect(asked.stdout + asked.stderr).toContain("{file:./secret}")
      yield* of.approve("theirs")
      const called = yield* of.run(["call", "theirs", "echo", "message=hello"])
      expect(called.code).toBe(0)
      expectNoSecret(refused, asked, called)
    })
  )

  it.live("that is written wrongly is told with its place, and with what was expected", () =>
    Effect.gen(function* () {
      const { of } = yield* someone()
      yield* of.writeOwn("letterhead.json", {
        mcpServers: {
          crm: { url: "https://a", oauth: { grant: "client_credentials", clientId: "c" } },
          erp: { url: "https://a", oauth: { grant: "jwt_bearer", clientId: "c", assertion: SECRET, idToken: SECRET } }
        }
      })
      const checked = yield* of.run(["config", "check"])
      const said = checked.stdout + checked.stderr
      expect(checked.code).toBe(2)
      expect(said).toMatch(/letterhead\.json:\d+:\d+ \(mcpServers\.crm\.oauth\.grant\): expected "clientSecret" or/)
      expect(said).toMatch(/\(mcpServers\.erp\.oauth\.idToken\): expected this with the grant "id_jag" only/)
      expectNoSecret(checked)
    })
  )
})
