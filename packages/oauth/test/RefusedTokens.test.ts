/** What happens to tokens that expire or are refused, or that belong to something else by now. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import type { SecretRecord } from "@letterhead/core/secrets/SecretRecord"
import { make as makeStore, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { isSettled } from "@letterhead/core/Settled"
import { OAuthLimits } from "@letterhead/oauth/http/OAuthFetch"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { reasonOf, signedIn, stored } from "./support/SignedIn.ts"
import { layer, open, send, signedEntry } from "./support/Signing.ts"
import * as TokenServer from "./support/TokenServer.ts"

/** Makes a stored token one that is due, though it lives. */
const makeDue = (entry: ReturnType<typeof signedEntry>, url: string) =>
  Effect.gen(function* () {
    const { key, record } = yield* stored(entry, url)
    const store = yield* SecretStore
    if (record?._tag === "SignedIn") yield* store.set(key, TokenRecord.encode({ ...record, renewAt: 0 }))
    return store
  })

/** Under what the disk of a test keeps a secret. */
const name = ({ server, field }: Pick<SecretKey, "server" | "field">) => `${server} ${field}`

/** A store on what a test takes for a disk, which it can write past the store's own lock. */
const onDisk = () => {
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
  return { disk, store }
}

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
        yield* until(Effect.sync(() => server.counts.refreshes === 1 && server.counts.inFlight === 0))
        yield* until(
          Effect.sync(() => {
            const now = next.resolve(local)
            return isSettled(now) && now._tag === "Success" && now.value.reveal()[0]?.[1] === "Bearer access-3"
          })
        )
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

  it.live("F63: invalid_grant is not final where something newer is stored while it is asked for", () => {
    const { disk, store } = onDisk()
    return Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      const other = signedEntry(server.url, { name: "other" })
      yield* (yield* open(other)).signIn(local)
      server.expireAccess()
      assert.strictEqual(yield* send(yield* open(other)), 200)
      server.settings.fault = "invalid_grant"
      server.settings.delay = 300
      const call = yield* Effect.forkChild(send(connection))
      yield* until(Effect.sync(() => server.counts.inFlight === 1))
      // By a program that does not know of the lock.
      const newer = disk.records.get(name({ server: "other", field: TokenRecord.FIELD }))
      const own = disk.records.get(name({ server: entry.name, field: TokenRecord.FIELD }))
      assert.isTrue(newer !== undefined && own !== undefined)
      if (newer !== undefined && own !== undefined) {
        disk.records.set(name(own.key), { ...newer, key: own.key, generation: own.generation + 1 })
      }
      assert.strictEqual(yield* Fiber.join(call), 200)
      assert.strictEqual((yield* stored(entry, server.url)).record?._tag, "SignedIn")
    }).pipe(Effect.provide(layer({ store })))
  })

  for (const fault of ["500", "html", "huge", "hang"] as const) {
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
              Effect.sync(
                () => server.counts.refreshes === 0 && server.counts.tokens === 2 && server.counts.inFlight === 0
              )
            )
            assert.strictEqual(yield* send(next), 200)
            assert.strictEqual(server.counts.tokens, 2, "it is not asked again and again")
          }).pipe(Effect.scoped, Effect.provide(later, { local: true }))
          server.expireAccess()
          assert.strictEqual((yield* reasonOf(send(connection)))._tag, "TokenFailed")
          assert.strictEqual((yield* stored(entry, server.url)).record?._tag, "SignedIn")
          server.settings.fault = "none"
          assert.strictEqual(yield* send(connection), 200)
        }).pipe(Effect.provide(layer()), Effect.provideService(OAuthLimits, { milliseconds: 2_000, bytes: 1_048_576 }))
    )
  }

  it.effect("one that is refused at once after it was renewed is not renewed for each call", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* signedIn()
      for (let call = 0; call < 10; call++) {
        server.expireAccess()
        assert.strictEqual(yield* send(connection), call === 0 ? 200 : 401)
      }
      assert.strictEqual(server.counts.refreshes, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* send(connection), 200)
      assert.strictEqual(server.counts.refreshes, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("F66: a token that cannot be saved is used until the program ends", () => {
    const { disk, store } = onDisk()
    return Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      const before = disk.records.get(name({ server: entry.name, field: TokenRecord.FIELD }))
      disk.isFull = true
      server.expireAccess()
      assert.strictEqual(yield* send(connection), 200)
      yield* TestClock.adjust("10 seconds")
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

  it.live("F76: tokens for another resource are not renewed, and the next sign-in is for the one of now", () =>
    Effect.gen(function* () {
      const { connection, entry, server } = yield* signedIn()
      server.settings.resource = server.origin
      server.expireAccess()
      const tokens = server.counts.tokens
      const reason = yield* reasonOf(send(connection))
      assert.strictEqual(reason._tag, "SignInRequired")
      assert.include(reason.message, "another resource")
      assert.strictEqual(server.counts.tokens, tokens)
      assert.strictEqual((yield* stored(entry, server.url)).record?._tag, "SignedOut")
      yield* connection.signIn(local)
      assert.strictEqual(yield* send(connection), 200)
      const { record } = yield* stored(entry, server.url)
      assert.strictEqual(record?.resource, server.origin)
    }).pipe(Effect.provide(layer()))
  )
})
