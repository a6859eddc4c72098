/** Answers of sources that expire, are refused or fail, and who waits for their successors. */
import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { CallContextMissing, HeaderError } from "@letterhead/core/headers/HeaderError"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { patch, rotating, withSources, open, authorization, UNAUTHORIZED } from "./ResolverSources.ts"

it.effect("an answer is renewed when it expires, once for all calls that find it so", () => {
  const credential = rotating({ lifetime: 1_000 })
  return Effect.gen(function* () {
    const connection = yield* open()
    yield* TestClock.adjust(999)
    yield* connection.resolve(local)
    assert.strictEqual(credential.runs(), 1)
    yield* TestClock.adjust(1)
    const resolved = yield* Effect.all(
      Array.from({ length: 50 }, () => connection.resolve(local)),
      { concurrency: "unbounded" }
    )
    assert.strictEqual(credential.runs(), 2)
    assert.isTrue(resolved.every((headers) => authorization(headers) === "Bearer 2"))
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F24: a clock that jumps back an hour does not keep an answer for longer than a 401", () => {
  const credential = rotating({ lifetime: 1_000 })
  return Effect.gen(function* () {
    yield* TestClock.setTime(3_600_000)
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* TestClock.setTime(0)
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 1")
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F52: a 401 for the current generation runs the source once and retries", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(credential.runs(), 2)
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F53: a 401 for an older generation runs nothing and retries with the current one", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* connection.challenge(local, sent, UNAUTHORIZED)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F53: a connection whose answer is refused takes the newer one of the principal's other connection", () => {
  const credential = rotating()
  const server = entry()
  return Effect.gen(function* () {
    const first = yield* open("ada", server)
    const sent = yield* first.resolve(local)
    yield* open("ada", server)
    assert.strictEqual(authorization(yield* first.resolve(local)), "Bearer 1")
    assert.strictEqual(yield* first.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* first.resolve(local)), "Bearer 2")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F54: of a hundred calls that meet one refused credential, one renews it", () => {
  const credential = rotating({ delay: 50 })
  return Effect.gen(function* () {
    const connecting = yield* Effect.forkChild(open())
    yield* TestClock.adjust(50)
    const connection = yield* Fiber.join(connecting)
    const sent = yield* connection.resolve(local)
    const storm = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: 100 }, () => connection.challenge(local, sent, UNAUTHORIZED)),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(50)
    assert.isTrue((yield* Fiber.join(storm)).every((answer) => answer === "retry"))
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F26: a caller that goes away does not end the renewal for those who still wait", () => {
  const credential = rotating({ delay: 50 })
  return Effect.gen(function* () {
    const connecting = yield* Effect.forkChild(open())
    yield* TestClock.adjust(50)
    const connection = yield* Fiber.join(connecting)
    const sent = yield* connection.resolve(local)
    const first = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    const second = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    yield* TestClock.adjust(10)
    yield* Fiber.interrupt(first)
    yield* TestClock.adjust(40)
    assert.strictEqual(yield* Fiber.join(second), "retry")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F26: a renewal that nobody waits for any more ends", () => {
  let interrupted = false
  let runs = 0
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      ++runs === 1
        ? Effect.succeed(patch("helper", Rank.helper, { Authorization: "Bearer 1" }))
        : Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    const only = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    yield* TestClock.adjust(1)
    yield* Fiber.interrupt(only)
    assert.isTrue(interrupted)
  }).pipe(Effect.provide(withSources(source)))
})

it.effect("a failed renewal is the caller's error and is tried again by the next call", () => {
  let runs = 0
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      ++runs === 2
        ? Effect.fail(new HeaderError({ reason: new CallContextMissing({ fact: "sessionId" }) }))
        : Effect.succeed(patch("helper", Rank.helper, { Authorization: `Bearer ${runs}` }))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(connection.challenge(local, sent, UNAUTHORIZED))))
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 3")
  }).pipe(Effect.provide(withSources(source)))
})

it.effect("a refusal asks the source whose Authorization was sent and no other", () => {
  const credential = rotating()
  const hook: HeaderSource = {
    id: "hook",
    rank: Rank.hook,
    lifetime: "call",
    resolve: () => Effect.succeed(patch("hook", Rank.hook, { authorization: "Bearer of the hook" }))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "give up")
    assert.strictEqual(credential.runs(), 1)
  }).pipe(Effect.provide(withSources(credential.source, hook)))
})

it.effect(
  "F51: of four sources that set Authorization one value is sent, and a 401 never falls through into OAuth",
  () => {
    const asked: Array<string> = []
    const authorizing = (id: keyof typeof Rank, lifetime: HeaderSource["lifetime"]): HeaderSource => ({
      id,
      rank: Rank[id],
      lifetime,
      resolve: () => Effect.succeed(patch(id, Rank[id], { Authorization: `Bearer ${id}` })),
      challenge: () => Effect.sync(() => asked.push(id) > 0)
    })
    const { challenge: _none, ...hook } = authorizing("hook", "call")
    return Effect.gen(function* () {
      const connection = yield* open()
      const sent = yield* connection.resolve(local)
      assert.deepStrictEqual(sent.reveal(), [["Authorization", "Bearer hook"]])
      assert.deepStrictEqual(
        sent.get("authorization")?.shadowed.map((statement) => statement.source),
        ["helper", "oauth", "static"]
      )
      assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "give up")
      assert.deepStrictEqual(asked, [])
    }).pipe(
      Effect.provide(
        withSources(
          hook,
          authorizing("oauth", "call"),
          authorizing("helper", "connection"),
          authorizing("static", "connection")
        )
      )
    )
  }
)

it.effect("F55: a 403 renews a helper's credential unless it is about scope", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    const scope = { status: 403, wwwAuthenticate: 'Bearer error="insufficient_scope", scope="write"' }
    assert.strictEqual(yield* connection.challenge(local, sent, scope), "give up")
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 403 }), "retry")
    assert.strictEqual(credential.runs(), 2)
    // Another call that was refused with the same one takes what is there by now.
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 403 }), "retry")
    assert.strictEqual(credential.runs(), 2)
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 500 }), "give up")
  }).pipe(Effect.provide(withSources(credential.source)))
})
