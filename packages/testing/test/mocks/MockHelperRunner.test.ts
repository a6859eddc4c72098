import { assert, describe, it } from "@effect/vitest"
import { TimedOut } from "@letterhead/core/headers/HeaderError"
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import { entry, helper } from "@letterhead/testing/EntryFixture"
import * as MockHelperRunner from "@letterhead/testing/mocks/MockHelperRunner"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"

const program = helper({ command: ["headers"] })

describe("MockHelperRunner", () => {
  it.effect("prints what the function says for each run of each server, and counts the runs", () =>
    Effect.gen(function* () {
      const runner = yield* HelperRunner
      const token = (name: string, explicit?: boolean) =>
        runner
          .run(program, entry({ name }), explicit === undefined ? {} : { explicit })
          .pipe(Effect.map(({ headers }) => headers.map(([field, value]) => [field, Redacted.value(value)])))
      assert.deepStrictEqual(yield* token("a"), [["Authorization", "Bearer a-1"]])
      assert.deepStrictEqual(yield* token("b"), [["Authorization", "Bearer b-1"]])
      assert.deepStrictEqual(yield* token("a", true), [["Authorization", "Bearer a-2"]])

      const runs = yield* (yield* MockHelperRunner.MockHelperRunner).runs
      assert.deepStrictEqual(
        runs.map(({ server, explicit }) => [server, explicit]),
        [
          ["a", false],
          ["b", false],
          ["a", true]
        ]
      )
    }).pipe(
      Effect.provide(
        MockHelperRunner.layer(({ name }, run) => ({ headers: { Authorization: `Bearer ${name}-${run}` } }))
      )
    )
  )

  it.effect("fails as it is told, naming the server and the helper", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* HelperRunner).run(program, entry({ name: "linear" })))
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.strictEqual(error.server, "linear")
      assert.strictEqual(error.source, "helper")
    }).pipe(Effect.provide(MockHelperRunner.layer(() => ({ failure: new TimedOut({ milliseconds: 1 }) }))))
  )

  it.effect("says of an answer whether its expiry has passed", () =>
    Effect.gen(function* () {
      const runner = yield* HelperRunner
      assert.isFalse((yield* runner.run(program, entry())).expired)
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* runner.run(program, entry())).expired)
    }).pipe(Effect.provide(MockHelperRunner.layer(() => ({ headers: {}, expires: 1000 }))))
  )
})
