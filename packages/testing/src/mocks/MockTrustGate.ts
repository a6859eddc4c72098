/** A trust gate that does not look: it lets everything pass, or nothing. */
import { HeaderError, NotTrusted } from "@letterhead/core/headers/HeaderError"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Every entry may run and read what it says, and covered files never change. */
export const layerPermitAll: Layer.Layer<TrustGate> = Layer.succeed(TrustGate, {
  require: () => Effect.succeed({ passEnv: [], verify: Effect.void })
})

/** No entry may, a `user` or `managed` one neither. */
export const layerDenyAll: Layer.Layer<TrustGate> = Layer.succeed(TrustGate, {
  require: (entry) =>
    Effect.fail(
      new HeaderError({
        server: entry.name,
        reason: new NotTrusted({
          server: entry.name,
          configuration: entry.origin.source,
          digest: DIGEST,
          subject: ["everything: denied by the mock"],
          changes: []
        })
      })
    )
})

/** The digest in the refusals of {@link layerDenyAll}. */
export const DIGEST = `sha256:${"0".repeat(64)}`
