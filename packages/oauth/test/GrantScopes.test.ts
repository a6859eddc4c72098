/** Which scopes a grant without a person asks for, as its server finds them missing. */
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as GrantServer from "./support/GrantServer.ts"
import { open, send } from "./support/Signing.ts"
import { entryOf, failureOf, program } from "./support/GrantProgram.ts"

describe("a grant without a person", () => {
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
      yield* until(Effect.sync(() => server.asked.length === 2))
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
      yield* until(Effect.sync(() => server.asked.length === 2))
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
})
