/** Whose call a fiber makes. */
import { assert, describe, it } from "@effect/vitest"
import { CurrentCall, local, withCall } from "@letterhead/core/call/CallContext"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"

/** What is seen after others had their turn. */
const seenLater = Effect.andThen(Effect.yieldNow, CurrentCall)
const incoming = [{ name: "x-user-token", value: Redacted.make("token") }]
/** Fibers that run at the same time. */
const FIBERS = 1_000

describe("withCall", () => {
  it.effect("a program that says nothing calls for the local principal, in no session", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* CurrentCall, local)
      assert.deepStrictEqual(local, { principal: "local" })
    })
  )

  it.effect("facts are added to those around, and end with the effect", () =>
    Effect.gen(function* () {
      const inner = yield* withCall(withCall(seenLater, { callId: "c1", tool: "echo" }), {
        principal: "ada",
        sessionId: "s1",
        incoming
      })
      assert.deepStrictEqual(inner, { principal: "ada", sessionId: "s1", incoming, callId: "c1", tool: "echo" })
      assert.deepStrictEqual(yield* CurrentCall, local)
    })
  )

  it.effect("an inner fact takes the place of the outer one, and gives it back", () =>
    withCall(
      Effect.gen(function* () {
        assert.strictEqual((yield* withCall(seenLater, { sessionId: "s2" })).sessionId, "s2")
        assert.strictEqual((yield* CurrentCall).sessionId, "s1")
      }),
      { sessionId: "s1" }
    )
  )

  it.effect("another principal starts from nothing: no session, no call, no incoming headers of the one before", () =>
    Effect.gen(function* () {
      const all = {
        principal: "ada",
        sessionId: "s1",
        callId: "c1",
        server: "linear",
        method: "m",
        tool: "t",
        incoming
      }
      assert.deepStrictEqual(yield* withCall(withCall(seenLater, { principal: "bob" }), all), { principal: "bob" })
      assert.deepStrictEqual(yield* withCall(withCall(seenLater, { principal: "bob", sessionId: "s2" }), all), {
        principal: "bob",
        sessionId: "s2"
      })
    })
  )

  it.effect("naming the same principal again keeps its facts", () =>
    Effect.gen(function* () {
      const seen = yield* withCall(withCall(seenLater, { principal: "ada" }), { principal: "ada", sessionId: "s1" })
      assert.deepStrictEqual(seen, { principal: "ada", sessionId: "s1" })
    })
  )

  it.effect("F48: fibers that run at the same time each see their own", () =>
    Effect.gen(function* () {
      const seen = yield* Effect.forEach(
        Array.from({ length: FIBERS }, (_, index) => ({ principal: `p${index % 3}`, sessionId: `s${index}` })),
        (facts) =>
          withCall(
            Effect.gen(function* () {
              yield* Effect.yieldNow
              const child = yield* Effect.forkChild(withCall(seenLater, { callId: facts.sessionId }))
              const own = yield* seenLater
              return [facts, own, yield* Fiber.join(child)] as const
            }),
            facts
          ),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(seen, FIBERS)
      for (const [facts, own, child] of seen) {
        assert.deepStrictEqual(own, facts)
        assert.deepStrictEqual(child, { ...facts, callId: facts.sessionId })
      }
    })
  )

  it.effect("a failure gives the context back", () =>
    Effect.gen(function* () {
      yield* Effect.exit(withCall(Effect.fail("no"), { sessionId: "s1" }))
      assert.deepStrictEqual(yield* CurrentCall, local)
    })
  )
})
