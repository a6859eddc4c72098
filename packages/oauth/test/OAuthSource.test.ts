/** Who is signed in, and who is asked to be. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { isSettled } from "@letterhead/core/Settled"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry as entryFixture } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { forgetSeen, reasonOf, signedIn } from "./support/SignedIn.ts"
import { layer, open, send, signedEntry } from "./support/Signing.ts"
import * as TokenServer from "./support/TokenServer.ts"

describe("a sign-in", () => {
  it.live("leads to a token, which is then there at once, and is told where it comes from", () =>
    Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      assert.strictEqual(yield* send(connection), 200)
      assert.isTrue(isSettled(connection.resolve(local)), "nothing has to be awaited")
      assert.deepStrictEqual(server.seen, ["Bearer access-2"])
      const [field] = yield* (yield* HeaderResolver).explain(entry, local)
      assert.strictEqual(field?.source, "oauth")
      assert.include(field?.declared ?? "", `signed in at ${server.origin}`)
    }).pipe(Effect.provide(layer()))
  )

  it.live("registers a client where none is known, and is renewed as that client", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      const connection = yield* open(entryFixture({ url: server.url }))
      yield* connection.signIn(local)
      server.expireAccess()
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.counts.registrations, 1)
      assert.strictEqual(server.counts.refreshes, 1)
      const requests = server.received
        .filter(({ path }) => path === "/token")
        .map(({ body }) => new URLSearchParams(body))
      assert.deepStrictEqual(
        requests.map((request) => [request.get("client_id"), request.get("resource")]),
        [
          ["client-1", server.url],
          ["client-1", server.url]
        ]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.live("is of one principal, and of one URL", () =>
    Effect.gen(function* () {
      const { entry, server } = yield* signedIn()
      const bob = { principal: "bob" }
      assert.strictEqual((yield* reasonOf(send(yield* open(entry, bob), bob)))._tag, "SignInRequired")
      const other = yield* open(signedEntry(`${server.url}?tenant=other`))
      assert.strictEqual((yield* reasonOf(send(other)))._tag, "SignInRequired")
      assert.deepStrictEqual(server.seen, ["", ""])
    }).pipe(Effect.provide(layer()))
  )

  it.live("is found by the next program, without another", () =>
    Effect.gen(function* () {
      const store = yield* SecretStore
      const later = layer({ store: Layer.succeed(SecretStore, store), signIn: layerNever })
      const { entry, server } = yield* signedIn()
      assert.strictEqual(
        yield* Effect.flatMap(open(entry), send).pipe(Effect.scoped, Effect.provide(later, { local: true })),
        200
      )
      assert.deepStrictEqual(server.seen, ["Bearer access-2"])
    }).pipe(Effect.provide(layer()))
  )
})

describe("modes", () => {
  it.live("auto: nothing is asked for before a 401 with a challenge", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      const connection = yield* open(signedEntry(server.url))
      assert.deepStrictEqual((yield* connection.resolve(local)).reveal(), [])
      const reason = yield* reasonOf(send(connection))
      assert.strictEqual(reason._tag, "SignInRequired")
      assert.include(reason.message, "letterhead login example")
      assert.deepStrictEqual(server.counts.tokens, 0)
      server.settings.challenges = false
      assert.strictEqual(yield* send(connection), 401)
    }).pipe(Effect.provide(layer()))
  )

  it.live("oauth: no request is sent before somebody is signed in", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      const connection = yield* open(signedEntry(server.url, { auth: "oauth" }))
      assert.strictEqual((yield* reasonOf(send(connection)))._tag, "SignInRequired")
      assert.deepStrictEqual(server.received, [])
      yield* connection.signIn(local)
      assert.strictEqual(yield* send(connection), 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("none: a 401 is the caller's, and nobody can sign in", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      const connection = yield* open(signedEntry(server.url, { auth: "none" }))
      assert.strictEqual(yield* send(connection), 401)
      assert.isFalse(yield* connection.signIn(local))
    }).pipe(Effect.provide(layer()))
  )

  it.live("where nobody can be asked, signing in says so", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      const connection = yield* open(signedEntry(server.url))
      assert.strictEqual((yield* reasonOf(connection.signIn(local)))._tag, "SignInRequired")
    }).pipe(Effect.provide(layer({ signIn: layerNever })))
  )
})

describe("another Authorization", () => {
  const others = MockHeaderSources.source({
    id: "helper",
    rank: Rank.helper,
    lifetime: "connection",
    headers: (_call, { name }) => (name === "helped" ? { authorization: "Bearer of-helper" } : {})
  })

  it.live("F51: static and helper keep a stored token from being sent, and OAuth from being attempted", () =>
    Effect.gen(function* () {
      const server = yield* TokenServer.make()
      for (const name of ["example", "helped"]) {
        const stored = yield* open(signedEntry(server.url, { name, auth: name === "helped" ? "auto" : "oauth" }))
        yield* stored.signIn(local)
      }
      const tokens = server.counts.tokens
      forgetSeen(server)
      const fixed = signedEntry(server.url, { headers: { authorization: "Bearer static" } })
      const helped = signedEntry(server.url, { name: "helped" })
      assert.strictEqual(yield* send(yield* open(fixed)), 401)
      assert.strictEqual(yield* send(yield* open(helped)), 401)
      assert.deepStrictEqual(server.seen, ["Bearer static", "Bearer of-helper"])
      assert.strictEqual(server.counts.tokens, tokens)
      const [field] = yield* (yield* HeaderResolver).explain(fixed, local)
      assert.deepStrictEqual(field?.shadowed, [
        { source: "oauth", declared: "not attempted, since static supplies authorization" }
      ])
    }).pipe(Effect.provide(layer({ sources: [others] })))
  )
})

describe("more scopes", () => {
  it.live("F55: a 403 about scope ends in SignInRequired once per challenge, and the next sign-in asks for all", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* signedIn({}, { oauth: { scopes: ["tools:read"] } })
      assert.strictEqual(yield* send(connection), 200)
      server.settings.scope = "tools:run"
      const reason = yield* reasonOf(send(connection))
      assert.strictEqual(reason._tag, "SignInRequired")
      assert.include(reason.message, '"tools:run"')
      yield* connection.signIn(local)
      assert.deepStrictEqual(server.asked, ["tools:read", "tools:run tools:read"])
      assert.strictEqual(yield* send(connection), 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("F55: a scope that was granted and is asked for all the same is the caller's 403", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* signedIn({}, { oauth: { scopes: ["tools:read"] } })
      const sent = yield* connection.resolve(local)
      const again = { status: 403, wwwAuthenticate: 'Bearer error="insufficient_scope", scope="tools:read"' }
      assert.strictEqual(yield* connection.challenge(local, sent, again), "give up")
      assert.strictEqual(server.asked.length, 1)
    }).pipe(Effect.provide(layer()))
  )
})
