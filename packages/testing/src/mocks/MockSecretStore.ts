/** Secret stores without a file or a keychain: core's own in memory, and one that holds what a test says. */
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { layerMemory, SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export { layerMemory } from "@letterhead/core/secrets/SecretStore"

/** A secret and its value. */
export interface MockSecret extends SecretKey {
  readonly value: string
}

/** A store in memory that starts with these. */
export const layer = (secrets: ReadonlyArray<MockSecret>): Layer.Layer<SecretStore> =>
  Layer.effect(
    SecretStore,
    Effect.tap(SecretStore, (store) =>
      Effect.forEach(secrets, ({ value, ...key }) => Effect.orDie(store.set(key, Redacted.make(value))))
    )
  ).pipe(Layer.provide(layerMemory))
