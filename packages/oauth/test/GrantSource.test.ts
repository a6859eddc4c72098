/** Tokens of entries whose grant needs no person: how often they are asked for, and what becomes of them. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { isSettled } from "@letterhead/core/Settled"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { inspect } from "node:util"
import * as GrantServer from "./support/GrantServer.ts"
import { open, send } from "./support/Signing.ts"
import { entryOf, failureOf, program } from "./support/GrantProgram.ts"

const { CANARY } = GrantServer

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
      yield* until(Effect.sync(() => server.asked.length === 1))
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
      yield* until(Effect.sync(() => server.asked.length === 2))
      server.release()
      server.settings.holds = false
      yield* until(Effect.sync(() => isSettled(connection.resolve(local))))
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
        yield* until(Effect.sync(() => bare().length >= 2))
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
        yield* until(Effect.sync(() => server.asked.length === 2))
        for (let call = 0; call < 50; call++) assert.strictEqual(yield* send(connection), 200)
        assert.strictEqual(server.asked.length, 2)
        for (let attempt = 0; attempt < 3; attempt++) {
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(yield* send(connection), 200)
        }
        yield* until(Effect.sync(() => server.asked.length > 2))
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
})
