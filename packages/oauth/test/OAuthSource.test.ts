/** Who is signed in, who is asked to be, and what happens to tokens that expire or are refused. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import type { SecretRecord } from "@letterhead/core/secrets/SecretRecord"
import { make as makeStore, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { isSettled } from "@letterhead/core/Settled"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import { entry as entryFixture } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { layer, open, send, signedEntry } from "./support/Signing.ts"
import * as TokenServer from "./support/TokenServer.ts"

const reasonOf = <A, R>(effect: Effect.Effect<A, HeaderError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Makes a stored token one that is due, though it lives. */
const makeDue = (entry: ReturnType<typeof signedEntry>, url: string) =>
  Effect.gen(function* () {
    const { key, record } = yield* stored(entry, url)
    const store = yield* SecretStore
    if (record?._tag === "SignedIn") yield* store.set(key, TokenRecord.encode({ ...record, renewAt: 0 }))
    return store
  })

/** Waits until it is so; fails after ten seconds. */
const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.filterOrFail(Boolean, () => new Error("it did not become so within ten seconds")),
    Effect.retry({ schedule: Schedule.spaced(10), times: 1_000 }),
    Effect.orDie
  )

/** A server, and a connection to it that somebody signed in at. */
const signedIn = (settings: Partial<TokenServer.Settings> = {}, options: Parameters<typeof signedEntry>[1] = {}) =>
  Effect.gen(function* () {
    const server = yield* TokenServer.make(settings)
    const entry = signedEntry(server.url, options)
    const connection = yield* open(entry)
    assert.isTrue(yield* connection.signIn(local))
    forgetSeen(server)
    return { server, entry, connection }
  })

/** The question what the server wants goes before a sign-in, without a token. */
const forgetSeen = ({ seen }: TokenServer.TokenServer): void => void seen.splice(0)

/** Under what the disk of a test keeps a secret. */
const name = ({ server, field }: Pick<SecretKey, "server" | "field">) => `${server} ${field}`

const stored = (entry: ReturnType<typeof signedEntry>, url: string) =>
  Effect.gen(function* () {
    const store = yield* SecretStore
    const key = TokenRecord.keyOf(entry.name, new URL(url), local.principal)
    return { key, record: Option.getOrUndefined(yield* TokenRecord.decode(yield* store.get(key))) }
  })

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

describe("a token that is refused or expires", () => {
  it.live("100 concurrent calls with an expired token: one token request, 100 successes", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* signedIn({ delay: 50 })
      const before = server.counts.tokens
      server.expireAccess()
      const statuses = yield* Effect.forEach(Array.from({ length: 100 }), () => send(connection), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(new Set(statuses), new Set([200]))
      assert.strictEqual(server.counts.tokens - before, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.live("100 concurrent calls with a token that is known to have expired: one token request, no 401", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* signedIn({ expiresIn: 0, delay: 50 })
      const before = server.counts.tokens
      server.settings.expiresIn = 3_600
      const statuses = yield* Effect.forEach(Array.from({ length: 100 }), () => send(connection), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(new Set(statuses), new Set([200]))
      assert.strictEqual(server.counts.tokens - before, 1)
      assert.deepStrictEqual(new Set(server.seen).size, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.live("one that is due is used while its successor is fetched", () =>
    Effect.gen(function* () {
      // 10 % of ten seconds before the end; the clock of the test is the real one.
      const { connection, entry, server } = yield* signedIn({ expiresIn: 10 })
      const store = yield* makeDue(entry, server.url)
      const later = layer({ store: Layer.succeed(SecretStore, store), signIn: layerNever })
      yield* Effect.gen(function* () {
        const next = yield* open(entry)
        server.settings.delay = 200
        const first = yield* next.resolve(local)
        assert.strictEqual(Redacted.value(first.get("authorization")?.value ?? Redacted.make("")), "Bearer access-2")
        assert.isTrue(isSettled(next.resolve(local)), "nobody waits")
        yield* until(() => server.counts.refreshes === 1 && server.counts.inFlight === 0)
        yield* until(() => {
          const now = next.resolve(local)
          return isSettled(now) && now._tag === "Success" && now.value.reveal()[0]?.[1] === "Bearer access-3"
        })
        assert.strictEqual(yield* send(next), 200)
      }).pipe(Effect.scoped, Effect.provide(later, { local: true }))
      assert.strictEqual(yield* send(connection), 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("F63: invalid_grant ends the sign-in: its tokens are removed, and the record says why", () =>
    Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      server.expireAccess()
      server.revokeRefresh()
      const reason = yield* reasonOf(send(connection))
      assert.strictEqual(reason._tag, "SignInRequired")
      assert.include(reason.message, "invalid_grant")
      const { record } = yield* stored(entry, server.url)
      assert.strictEqual(record?._tag, "SignedOut")
      assert.notInclude(JSON.stringify(record), "access-")
      const requests = server.counts.refreshes
      yield* reasonOf(send(connection))
      assert.strictEqual(server.counts.refreshes, requests, "it is not tried again")
      yield* connection.signIn(local)
      assert.strictEqual(yield* send(connection), 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("F63: invalid_grant is not final where the store has something newer", () =>
    Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      const { key } = yield* stored(entry, server.url)
      const store = yield* SecretStore
      // Another program signs in anew while this one's request for a token is under way.
      const other = yield* open(signedEntry(server.url, { name: "other" }))
      yield* other.signIn(local)
      const newer = yield* store.get({ ...key, server: "other" })
      server.expireAccess()
      yield* send(other)
      const newest = yield* store.get({ ...key, server: "other" })
      assert.isTrue(Option.isSome(newer) && Option.isSome(newest))
      yield* store.set(
        key,
        Option.getOrElse(newest, () => Redacted.make(""))
      )
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.counts.refreshes, 1)
    }).pipe(Effect.provide(layer()))
  )

  for (const fault of ["500", "html", "huge"] as const) {
    it.live(
      `F62: a token endpoint that answers with ${fault} costs no sign-in, and no call while the token lives`,
      () =>
        Effect.gen(function* () {
          const { connection, entry, server } = yield* signedIn()
          server.settings.fault = fault
          const store = yield* makeDue(entry, server.url)
          const later = layer({ store: Layer.succeed(SecretStore, store), signIn: layerNever })
          yield* Effect.gen(function* () {
            const next = yield* open(entry)
            assert.strictEqual(yield* send(next), 200)
            yield* until(
              () => server.counts.refreshes === 0 && server.counts.tokens === 2 && server.counts.inFlight === 0
            )
            assert.strictEqual(yield* send(next), 200)
            assert.strictEqual(server.counts.tokens, 2, "it is not asked again and again")
          }).pipe(Effect.scoped, Effect.provide(later, { local: true }))
          server.expireAccess()
          assert.strictEqual((yield* reasonOf(send(connection)))._tag, "TokenFailed")
          assert.strictEqual((yield* stored(entry, server.url)).record?._tag, "SignedIn")
          server.settings.fault = "none"
          assert.strictEqual(yield* send(connection), 200)
        }).pipe(Effect.provide(layer()))
    )
  }

  it.live("F66: a token that cannot be saved is used until the program ends", () => {
    const disk = { isFull: false, records: new Map<string, SecretRecord>() }
    const full = new HeaderError({ reason: new SecretStoreFailed({ path: "/disk", description: "is full" }) })
    const find = (key: SecretKey) => Option.fromUndefinedOr(disk.records.get(name(key)))
    const store = Layer.effect(
      SecretStore,
      makeStore({
        read: (key) => Effect.sync(() => find(key)),
        withRecord: (key, use) =>
          Effect.suspend(() =>
            use(find(key), (record) =>
              disk.isFull ? Effect.fail(full) : Effect.sync(() => void disk.records.set(name(key), record))
            )
          ),
        list: Effect.sync(() => [...disk.records.values()].map(({ key }) => ({ ...key, keptIn: "disk" })))
      })
    )
    return Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      const before = disk.records.get(name({ server: entry.name, field: TokenRecord.FIELD }))
      disk.isFull = true
      server.expireAccess()
      assert.strictEqual(yield* send(connection), 200)
      server.expireAccess()
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.counts.refreshes, 2)
      assert.strictEqual(server.counts.reuses, 0)
      assert.strictEqual(disk.records.get(name({ server: entry.name, field: TokenRecord.FIELD })), before)
    }).pipe(Effect.provide(layer({ store })))
  })

  it.live("F76: tokens of another authorization server, client or URL are not sent, and nothing is asked there", () =>
    Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      const elsewhere = yield* TokenServer.make()
      server.settings.issuer = elsewhere.origin
      server.expireAccess()
      const reason = yield* reasonOf(send(connection))
      assert.strictEqual(reason._tag, "SignInRequired")
      assert.include(reason.message, "another authorization server")
      assert.strictEqual(elsewhere.counts.tokens, 0)
      assert.strictEqual((yield* stored(entry, server.url)).record?._tag, "SignedOut")
      server.settings.issuer = undefined
      yield* connection.signIn(local)
      const reclaimed = yield* open(signedEntry(server.url, { oauth: { clientId: "another-client" } }))
      const seen = server.seen.length
      assert.strictEqual((yield* reasonOf(send(reclaimed)))._tag, "SignInRequired")
      assert.deepStrictEqual(server.seen.slice(seen), [""])
    }).pipe(Effect.provide(layer()))
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
