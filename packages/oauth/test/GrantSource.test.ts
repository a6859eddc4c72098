/** Tokens of entries whose grant needs no person: how often they are asked for, and what becomes of them. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { isSettled } from "@letterhead/core/Settled"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry as entryFixture, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as GrantServer from "./support/GrantServer.ts"
import * as LoopbackServer from "./support/LoopbackServer.ts"
import * as OidcProvider from "./support/OidcProvider.ts"
import { layer, open, send } from "./support/Signing.ts"

const { CANARY } = GrantServer

/** One program in which nobody can be asked. */
const program = () => layer({ signIn: layerNever })

const entryOf = (url: string, options: EntryOptions = {}) =>
  entryFixture({
    url,
    auth: "oauth",
    ...options,
    oauth: { clientId: "workload", clientSecret: CANARY, grant: { type: "client_credentials" }, ...options.oauth }
  })

const failureOf = <A, R>(effect: Effect.Effect<A, HeaderError, R>) => Effect.flip(effect)

/** Waits until it is so; fails after ten seconds. */
const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.filterOrFail(Boolean, () => new Error("it did not become so within ten seconds")),
    Effect.retry({ schedule: Schedule.spaced(10), times: 1_000 }),
    Effect.orDie
  )

/** The same, where the clock is a test's. */
const untilReally = (condition: () => boolean) => TestClock.withLive(until(condition))

describe("a grant without a person", () => {
  it.live("with auth oauth has a token before the first request, and says where it comes from", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const entry = entryOf(server.url, { oauth: { scopes: ["read"] } })
      const connection = yield* open(entry)
      const headers = yield* connection.resolve(local)
      assert.isTrue(headers.has("authorization"))
      assert.strictEqual(yield* send(connection), 200)
      assert.isTrue(isSettled(connection.resolve(local)), "nothing has to be awaited")
      assert.deepStrictEqual(
        server.asked.map((one) => [one.get("grant_type"), one.get("scope"), one.get("resource")]),
        [["client_credentials", "read", server.url]]
      )
      // The first asks without anything where the metadata is.
      assert.deepStrictEqual(server.seen, ["", "Bearer token-1"])
      const [field] = yield* (yield* HeaderResolver).explain(entry, local)
      assert.include(field?.declared ?? "", `client credentials at ${server.origin}`)
    }).pipe(Effect.provide(program()))
  )

  it.live("with auth auto gets a token where the server asks for one, inside that request", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url, { auth: "auto" }))
      assert.strictEqual((yield* connection.resolve(local)).has("authorization"), false)
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(yield* send(connection), 200)
      assert.deepStrictEqual(server.seen, ["", "Bearer token-1", "Bearer token-1"])
      assert.strictEqual(server.asked.length, 1)
    }).pipe(Effect.provide(program()))
  )

  it.live("makes one token request for a hundred calls, and for a hundred that are refused, for each principal", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const entry = entryOf(server.url)
      const connection = yield* open(entry)
      const calls = Effect.all(
        Array.from({ length: 100 }, () => send(connection)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(yield* calls), new Set([200]))
      assert.strictEqual(server.asked.length, 1)
      server.expire()
      assert.deepStrictEqual(new Set(yield* calls), new Set([200]))
      assert.strictEqual(server.asked.length, 2)
      // A second connection of the principal has the same token, somebody else another.
      assert.strictEqual(yield* Effect.flatMap(open(entry), send), 200)
      assert.strictEqual(server.asked.length, 2)
      const bob = { principal: "bob" }
      assert.strictEqual(yield* Effect.flatMap(open(entry, bob), (of) => send(of, bob)), 200)
      assert.strictEqual(server.asked.length, 3)
      assert.strictEqual(server.seen.at(-1), "Bearer token-3")
    }).pipe(Effect.provide(program()))
  )

  it.live("that was refused when it had a successor already leads to no other", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url))
      const first = yield* connection.resolve(local)
      server.expire()
      assert.strictEqual(yield* send(connection), 200)
      const late = { status: 401, wwwAuthenticate: "Bearer" }
      assert.strictEqual(yield* connection.challenge(local, first, late), "retry")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.length, 2)
    }).pipe(Effect.provide(program()))
  )

  it.live("goes on for those who wait where the first of them goes away", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make({ holds: true })
      const connection = yield* open(entryOf(server.url))
      const first = yield* Effect.forkChild(send(connection))
      yield* until(() => server.asked.length === 1)
      const second = yield* Effect.forkChild(send(connection))
      yield* Fiber.interrupt(first)
      server.release()
      assert.strictEqual(yield* Fiber.join(second), 200)
      assert.strictEqual(server.asked.length, 1)
    }).pipe(Effect.provide(program()))
  )

  it.effect("is renewed before it expires while the old token is used, and before a request where it has expired", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make({ expiresIn: 600 })
      const connection = yield* open(entryOf(server.url))
      assert.strictEqual(yield* send(connection), 200)
      yield* TestClock.adjust("539 seconds")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.length, 1)
      yield* TestClock.adjust("2 seconds")
      server.settings.holds = true
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.seen.at(-1), "Bearer token-1")
      yield* untilReally(() => server.asked.length === 2)
      server.release()
      server.settings.holds = false
      yield* untilReally(() => isSettled(connection.resolve(local)))
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.seen.at(-1), "Bearer token-2")
      yield* TestClock.adjust("700 seconds")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.seen.at(-1), "Bearer token-3")
    }).pipe(Effect.provide(program()))
  )

  it.effect("is not got for each call from a server that refuses each token", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make({ refusesAll: true })
      const connection = yield* open(entryOf(server.url))
      for (let call = 0; call < 10; call++) assert.strictEqual(yield* send(connection), 401)
      assert.strictEqual(server.asked.length, 2)
      yield* TestClock.adjust("10 seconds")
      for (let call = 0; call < 10; call++) assert.strictEqual(yield* send(connection), 401)
      assert.strictEqual(server.asked.length, 3)
      server.settings.refusesAll = false
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.length, 3)
    }).pipe(Effect.provide(program()))
  )

  it.effect("asks a server that lets anybody in what it wants once, and ends the session that this began", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make({ expiresIn: 600, open: true })
      const connection = yield* open(entryOf(server.url))
      const bare = () =>
        server.received.filter(({ headers, path }) => path === "/mcp" && headers.authorization === undefined)
      for (let token = 1; token <= 3; token++) {
        assert.strictEqual(yield* send(connection), 200)
        assert.strictEqual(server.asked.length, token)
        yield* untilReally(() => bare().length >= 2)
        yield* TestClock.adjust("700 seconds")
      }
      assert.deepStrictEqual(
        bare().map(({ headers, method }) => [method, headers["mcp-session-id"]]),
        [
          ["POST", undefined],
          ["DELETE", "session-1"]
        ]
      )
    }).pipe(Effect.provide(program()))
  )

  it.effect(
    "keeps its token where a renewal fails, tries again ten seconds later, and fails where it has expired",
    () =>
      Effect.gen(function* () {
        const server = yield* GrantServer.make({ expiresIn: 600 })
        const connection = yield* open(entryOf(server.url))
        assert.strictEqual(yield* send(connection), 200)
        yield* TestClock.adjust("545 seconds")
        server.settings.refusal = { status: 503, body: {} }
        assert.strictEqual(yield* send(connection), 200)
        yield* untilReally(() => server.asked.length === 2)
        for (let call = 0; call < 50; call++) assert.strictEqual(yield* send(connection), 200)
        assert.strictEqual(server.asked.length, 2)
        for (let attempt = 0; attempt < 3; attempt++) {
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(yield* send(connection), 200)
        }
        yield* untilReally(() => server.asked.length > 2)
        assert.isAtMost(server.asked.length, 5)
        yield* TestClock.adjust("60 seconds")
        const error = yield* failureOf(send(connection))
        assert.strictEqual(error.reason._tag, "TokenFailed")
        assert.match(error.message, /503.*; try again later$/)
      }).pipe(Effect.provide(program()))
  )

  it.effect("that fails is not asked for again within a second, however many calls need it", () =>
    Effect.gen(function* () {
      const refusal = { status: 401, body: { error: "invalid_client", error_description: `no ${CANARY} here` } }
      const server = yield* GrantServer.make({ refusal })
      const connection = yield* open(entryOf(server.url, { name: "crm" }))
      for (let call = 0; call < 20; call++) {
        const error = yield* failureOf(send(connection))
        assert.strictEqual(error.reason._tag, "SignInFailed")
        for (const said of [
          `server "crm"`,
          "getting a token failed: ",
          "(invalid_client)",
          "no *** here",
          `check "clientId" and "clientSecret"`
        ]) {
          assert.include(error.message, said)
        }
        assert.notInclude(inspect(error, { depth: 9 }), CANARY)
      }
      assert.strictEqual(server.asked.length, 1)
      server.settings.refusal = undefined
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.length, 2)
    }).pipe(Effect.provide(program()))
  )

  it.live("asks once for each scope that a server finds missing, beside what it asked for", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url, { oauth: { scopes: ["read"] } }))
      assert.strictEqual(yield* send(connection), 200)
      server.settings.scope = "write"
      const calls = Array.from({ length: 20 }, () => send(connection))
      assert.deepStrictEqual(new Set(yield* Effect.all(calls, { concurrency: "unbounded" })), new Set([200]))
      assert.deepStrictEqual(
        server.asked.map((one) => one.get("scope")),
        ["read", "read write"]
      )
      // One that is granted, and does not help.
      server.settings.granted = "read"
      server.expire()
      assert.strictEqual(yield* send(connection), 403)
      assert.strictEqual(yield* send(connection), 403)
      assert.strictEqual(server.asked.length, 3)
      for (let scope = 0; scope < 20; scope++) {
        server.settings.scope = `scope-${scope}`
        yield* send(connection)
      }
      assert.strictEqual(server.asked.length, 3 + 7)
    }).pipe(Effect.provide(program()))
  )

  it.effect("that is refused with a further scope keeps the token that it has", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url, { oauth: { scopes: ["read"] } }))
      assert.strictEqual(yield* send(connection), 200)
      server.settings.scope = "write"
      server.settings.refusal = { status: 400, body: { error: "invalid_scope" } }
      const error = yield* failureOf(send(connection))
      assert.include(error.message, `(invalid_scope); check "scopes"`)
      // The server says no once more, and it is the caller's.
      assert.strictEqual(yield* send(connection), 403)
      server.settings.scope = undefined
      server.settings.refusal = undefined
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.seen.at(-1), "Bearer token-1")
      server.expire()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.at(-1)?.get("scope"), "read")
    }).pipe(Effect.provide(program()))
  )

  it.effect("forgets each scope that is refused, also where two were found missing at once", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url, { oauth: { scopes: ["read"] } }))
      const sent = yield* connection.resolve(local)
      const lacks = (scope: string) =>
        connection.challenge(local, sent, {
          status: 403,
          wwwAuthenticate: `Bearer error="insufficient_scope", scope="${scope}"`
        })
      server.settings.holds = true
      server.settings.refusal = { status: 400, body: { error: "invalid_scope" } }
      const write = yield* Effect.forkChild(failureOf(lacks("write")))
      yield* untilReally(() => server.asked.length === 2)
      const admin = yield* Effect.forkChild(failureOf(lacks("admin")), { startImmediately: true })
      server.release()
      yield* Fiber.join(write)
      yield* Fiber.join(admin)
      server.settings.holds = false
      server.settings.refusal = undefined
      server.expire()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* send(connection), 200)
      // The one that was refused is asked for no more; the other, which no request has named, when it is missing again.
      assert.strictEqual(yield* lacks("write"), "give up")
      assert.strictEqual(yield* lacks("admin"), "retry")
      assert.deepStrictEqual(
        server.asked.map((one) => one.get("scope")),
        ["read", "read write", "read", "read admin"]
      )
    }).pipe(Effect.provide(program()))
  )

  it.effect("forgets a scope that is refused after the call that needed it went away", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url, { oauth: { scopes: ["read"] } }))
      assert.strictEqual(yield* send(connection), 200)
      server.settings.scope = "write"
      server.settings.holds = true
      server.settings.refusal = { status: 400, body: { error: "invalid_scope" } }
      const call = yield* Effect.forkChild(send(connection))
      yield* untilReally(() => server.asked.length === 2)
      yield* Fiber.interrupt(call)
      server.settings.holds = false
      server.release()
      server.settings.scope = undefined
      server.expire()
      // It waits for the request that is under way, or is told how that ended.
      assert.include((yield* failureOf(send(connection))).message, "(invalid_scope)")
      server.settings.refusal = undefined
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.asked.at(-1)?.get("scope"), "read")
    }).pipe(Effect.provide(program()))
  )

  it.effect("has an assertion read anew for each token", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "assertion-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true }))
      )
      const file = join(folder, "token")
      writeFileSync(file, "first\n")
      const server = yield* GrantServer.make()
      const entry = entryFixture({
        url: server.url,
        oauth: { clientId: "workload", grant: { type: "jwt_bearer", assertion: `{file:${file}}` } }
      })
      const connection = yield* open(entry)
      assert.strictEqual(yield* send(connection), 200)
      writeFileSync(file, "second\n\n")
      server.expire()
      assert.strictEqual(yield* send(connection), 200)
      assert.deepStrictEqual(
        server.asked.map((one) => [one.get("grant_type"), one.get("assertion"), one.get("client_id")]),
        ["first", "second"].map((one) => ["urn:ietf:params:oauth:grant-type:jwt-bearer", one, "workload"])
      )
      yield* TestClock.adjust("10 seconds")
      server.expire()
      rmSync(file)
      assert.strictEqual((yield* failureOf(send(connection))).reason._tag, "FileUnreadable")
    }).pipe(Effect.provide(program()))
  )

  it.live("shows an id token to the identity provider alone, and says which of the two refused", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const provider = yield* GrantServer.make()
      const withToken = (idToken: string) =>
        entryOf(server.url, {
          oauth: {
            grant: {
              type: "id_jag",
              idToken,
              identityProvider: {
                issuer: provider.origin,
                tokenEndpoint: `${provider.origin}/idp/token`,
                clientId: "at-idp"
              }
            }
          }
        })
      assert.strictEqual(yield* Effect.flatMap(open(withToken(`id-${CANARY}`)), send), 200)
      const [exchange] = provider.exchanged
      assert.strictEqual(exchange?.get("audience"), server.origin)
      assert.strictEqual(exchange?.get("client_id"), "at-idp")
      assert.strictEqual(server.asked[0]?.get("assertion"), `jag-${CANARY}`)
      assert.isFalse(server.received.some(({ body }) => body.includes("id-")))
      const error = yield* failureOf(Effect.flatMap(open(withToken("spent-token")), send))
      assert.include(error.message, "the identity provider refused (invalid_grant): the id token has expired; check")
    }).pipe(Effect.provide(program()))
  )

  it.live("says of a key that cannot sign what it has to be, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const keys = [CANARY, privateKey.export({ type: "pkcs8", format: "pem" })]
      for (const [index, key] of keys.entries()) {
        const grant = { type: "client_credentials" as const, key: { privateKey: key, algorithm: "ES256" } }
        const entry = entryFixture({
          name: `s${index}`,
          url: server.url,
          auth: "oauth",
          oauth: { clientId: "w", grant }
        })
        const error = yield* failureOf(Effect.flatMap(open(entry), send))
        assert.include(error.message, "the private key cannot sign by ES256")
        assert.notInclude(inspect(error, { depth: 9 }), key.slice(0, 40))
      }
      assert.deepStrictEqual(server.asked, [])
    }).pipe(Effect.provide(program()))
  )

  it.live("F76: sends a secret to no other authorization server than the first, or the one of the entry", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const other = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url))
      assert.strictEqual(yield* send(connection), 200)
      server.settings.issuer = other.origin
      server.expire()
      assert.include((yield* failureOf(send(connection))).message, "belongs to")
      const named = entryOf(server.url, {
        name: "named",
        oauth: { grant: { type: "client_credentials", issuer: server.origin } }
      })
      assert.include((yield* failureOf(Effect.flatMap(open(named), send))).message, `Correct "issuer"`)
      assert.deepStrictEqual(other.asked, [])
      server.settings.issuer = undefined
      const store = yield* SecretStore
      const before = yield* store.list
      assert.strictEqual(yield* Effect.flatMap(open({ ...named }), send), 200)
      assert.deepStrictEqual(yield* store.list, before, "what the entry says has to be remembered by nobody")
    }).pipe(Effect.provide(program()))
  )

  it.live("whose client cannot be remembered sends nothing, and says that the entry can name the issuer", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const store = yield* SecretStore
      const reason = new SecretStoreFailed({ path: "/secrets", description: "cannot be written" })
      const closed = Layer.succeed(SecretStore, { ...store, modify: () => Effect.fail(new HeaderError({ reason })) })
      const error = yield* failureOf(Effect.flatMap(open(entryOf(server.url)), send)).pipe(
        Effect.scoped,
        Effect.provide(layer({ signIn: layerNever, store: closed }), { local: true })
      )
      assert.include(error.message, `the secret store /secrets cannot be written; it would hold which`)
      assert.include(error.message, `"issuer"`)
      assert.deepStrictEqual(server.asked, [])
    }).pipe(Effect.provide(program()))
  )

  it.live("works with oidc-provider, by secret and by key", () =>
    Effect.gen(function* () {
      let issuer = ""
      const seen: Array<string> = []
      const server = yield* LoopbackServer.make((request, response, origin) => {
        if (request.path.startsWith("/.well-known/oauth-protected-resource")) {
          return LoopbackServer.json(response, { resource: `${origin}/mcp`, authorization_servers: [issuer] })
        }
        seen.push(request.headers.authorization ?? "")
        return response.writeHead(request.headers.authorization === undefined ? 401 : 200).end()
      })
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const common = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }
      const provider = yield* OidcProvider.make({
        resource: `${server.origin}/mcp`,
        clients: [
          { ...common, client_id: "by-secret", client_secret: CANARY },
          {
            ...common,
            client_id: "by-key",
            token_endpoint_auth_method: "private_key_jwt",
            token_endpoint_auth_signing_alg: "ES256",
            jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] }
          }
        ]
      })
      issuer = provider.issuer
      const pem = privateKey.export({ type: "pkcs8", format: "pem" })
      const url = `${server.origin}/mcp`
      const entries = [
        entryOf(url, { name: "a", oauth: { clientId: "by-secret", scopes: ["read"] } }),
        entryFixture({
          name: "b",
          url,
          auth: "oauth",
          oauth: {
            clientId: "by-key",
            grant: { type: "client_credentials", key: { privateKey: pem, algorithm: "ES256" } }
          }
        })
      ]
      for (const entry of entries) assert.strictEqual(yield* Effect.flatMap(open(entry), send), 200)
      assert.strictEqual(seen.filter((one) => one.startsWith("Bearer ")).length, 2)
    }).pipe(Effect.provide(program()))
  )
})
