/** What `letterhead login` stores to see whether it can, and what is left of it. */
import { assert, describe, it } from "@effect/vitest"
import { layerMemory, SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { requireStore } from "../../src/cli/commands/login.ts"

describe("what is stored to see whether anything can be", () => {
  it.effect("is removed, also where that is interrupted", () =>
    Effect.gen(function* () {
      const store = yield* SecretStore
      yield* requireStore
      assert.deepStrictEqual(yield* store.list, [])
      const slow: SecretStore["Service"] = {
        ...store,
        set: (key, value) => Effect.andThen(store.set(key, value), Effect.never)
      }
      const probing = yield* requireStore.pipe(
        Effect.provideService(SecretStore, slow),
        Effect.forkChild({ startImmediately: true })
      )
      while ((yield* store.list).length === 0) yield* Effect.yieldNow
      yield* Fiber.interrupt(probing)
      assert.deepStrictEqual(yield* store.list, [])
    }).pipe(Effect.provide(layerMemory))
  )
})
