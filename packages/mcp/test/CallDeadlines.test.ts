/** When the time of a call is over: for many calls with one fiber that sleeps. */
import { assert, describe, it } from "@effect/vitest"
import * as CallDeadlines from "@letterhead/mcp/call/CallDeadlines"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/** The calls that are over, in the order in which they were. */
const recording = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const over: Array<string> = []
  const start = (name: string, milliseconds: number) =>
    CallDeadlines.start(clock, milliseconds, () => void over.push(name))
  return { over, start }
})

const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length

describe("the time of a call", () => {
  it.effect("is over after as many milliseconds as it has, each call by itself", () =>
    Effect.gen(function* () {
      const { over, start } = yield* recording
      start("first", 100)
      yield* TestClock.adjust(60)
      start("second", 100)
      start("short", 10)
      yield* TestClock.adjust(9)
      assert.deepStrictEqual(over, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(over, ["short"])
      yield* TestClock.adjust(29)
      assert.deepStrictEqual(over, ["short"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(over, ["short", "first"])
      yield* TestClock.adjust(60)
      assert.deepStrictEqual(over, ["short", "first", "second"])
    })
  )

  it.effect("is not over for a call that was answered, whatever becomes of the others", () =>
    Effect.gen(function* () {
      const { over, start } = yield* recording
      const answered = start("first", 100)
      start("second", 100)
      yield* TestClock.adjust(50)
      answered()
      start("third", 100)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(over, ["second"])
      answered()
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(over, ["second", "third"])
    })
  )

  it.effect("begins anew where none was under way", () =>
    Effect.gen(function* () {
      const { over, start } = yield* recording
      start("first", 100)()
      yield* TestClock.adjust(99)
      start("second", 100)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(over, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(over, ["second"])
    })
  )

  it.effect("of no length is over soon, but not before it began; of endless length never", () =>
    Effect.gen(function* () {
      const { over, start } = yield* recording
      start("none", 0)
      start("endless", Number.POSITIVE_INFINITY)
      assert.deepStrictEqual(over, [])
      yield* TestClock.adjust("1000 days")
      assert.deepStrictEqual(over, ["none"])
    })
  )

  it.live("keeps nothing alive that nobody waits for", () =>
    Effect.gen(function* () {
      const { start } = yield* recording
      const before = timers()
      const calls = Array.from({ length: 100 }, (_, index) => start(String(index), 7_654_321))
      assert.strictEqual(timers(), before + 1)
      for (const answered of calls) answered()
      assert.strictEqual(timers(), before)
    })
  )

  it.live("keeps nothing alive where one that is over takes the others along", () =>
    Effect.gen(function* () {
      const { start } = yield* recording
      const clock = yield* Clock.Clock
      const before = timers()
      yield* Effect.callback<void>((resume) => {
        CallDeadlines.start(clock, 10, () => {
          for (const answered of others) answered()
          resume(Effect.void)
        })
        const others = [start("second", 7_654_321), start("third", 7_654_322)]
      })
      // The timer that woke it is one of them until it has told all.
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.strictEqual(timers(), before)
    })
  )
})
