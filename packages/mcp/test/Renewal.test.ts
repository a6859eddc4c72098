/** When a renewal runs, and for whom. */
import { assert, describe, it } from "@effect/vitest"
import { SPREAD } from "@letterhead/core/helper/BackOff"
import { CALM, Renewal } from "@letterhead/mcp/session/Renewal"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

const make = Effect.map(Effect.context(), (services) => new Renewal({ services }))

/** How it failed, where it did. */
const run = (renewal: Renewal, renew: Effect.Effect<void, unknown>): Effect.Effect<string | undefined> =>
  Effect.promise(() => renewal.run(renew).then(() => undefined, String))

describe("Renewal", () => {
  it.effect("one runs for all who wait, and they share its failure", () =>
    Effect.gen(function* () {
      const renewal = yield* make
      const gate = yield* Deferred.make<void, string>()
      let runs = 0
      const renew = Effect.andThen(
        Effect.sync(() => void runs++),
        Deferred.await(gate)
      )
      const waiting = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 100 }, () => run(renewal, renew)),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.yieldNow
      assert.isTrue(renewal.isRunning)
      yield* Deferred.fail(gate, "no")
      assert.deepStrictEqual(new Set(yield* Fiber.join(waiting)), new Set(["no"]))
      assert.strictEqual(runs, 1)
      assert.isFalse(renewal.isRunning)
    })
  )

  it.effect("one that follows one of use waits for a second since that one, no longer each time", () =>
    Effect.gen(function* () {
      const renewal = yield* make
      const times: Array<number> = []
      const renew = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => void times.push(now)))
      for (let index = 0; index < 10; index += 1) {
        const fiber = yield* Effect.forkChild(run(renewal, renew))
        yield* TestClock.adjust(index === 0 ? 0 : 1_000 * (1 + SPREAD))
        yield* Fiber.join(fiber)
        renewal.bear()
      }
      assert.strictEqual(times.length, 10)
      for (const [index, time] of times.entries()) {
        if (index > 0) assert.isAtLeast(time - (times[index - 1] ?? 0), 1_000)
      }
    })
  )

  it.effect("the first runs at once, those of no use in its minute later and later, up to half a minute", () =>
    Effect.gen(function* () {
      const renewal = yield* make
      const times: Array<number> = []
      const renew = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => void times.push(now)))
      yield* run(renewal, renew)
      assert.strictEqual(times.length, 1)
      for (const least of [1_000, 2_000, 4_000, 8_000, 16_000, 25_000, 25_000]) {
        const before = times.length
        const fiber = yield* Effect.forkChild(run(renewal, renew))
        const since = (yield* Clock.currentTimeMillis) - (times.at(-1) ?? 0)
        yield* TestClock.adjust(least - since - 1)
        assert.strictEqual(times.length, before)
        yield* TestClock.adjust(least * SPREAD + 1)
        yield* Fiber.join(fiber)
        assert.strictEqual(times.length, before + 1)
      }
      yield* TestClock.adjust(CALM)
      const before = yield* Clock.currentTimeMillis
      yield* run(renewal, renew)
      assert.strictEqual(times.at(-1), before)
      assert.strictEqual(renewal.inRow, 1)
    })
  )

  it.effect("its end ends the one that runs, and waits for it", () =>
    Effect.gen(function* () {
      const renewal = yield* make
      let ended = false
      const renew = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (ended = true)))
      const waiting = yield* Effect.forkChild(run(renewal, renew))
      yield* Effect.yieldNow
      yield* Effect.promise(() => renewal.end())
      assert.isTrue(ended)
      assert.isDefined(yield* Fiber.join(waiting))
      assert.isFalse(renewal.isRunning)
    })
  )
})
