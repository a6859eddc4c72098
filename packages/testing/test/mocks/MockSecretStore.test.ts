import { assert, describe, it } from "@effect/vitest"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import * as MockSecretStore from "@letterhead/testing/mocks/MockSecretStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

describe("MockSecretStore", () => {
  it.effect("holds what the test says, and is a store like any other", () =>
    Effect.gen(function* () {
      const store = yield* SecretStore
      assert.deepStrictEqual(
        Option.map(yield* store.get(key({ server: "mocked" })), Redacted.value),
        Option.some("made up")
      )
      for (const { check } of laws) yield* check
    }).pipe(Effect.provide(MockSecretStore.layer([{ ...key({ server: "mocked" }), value: "made up" }])))
  )
})
