/** What `@letterhead/oauth` is made of here: its flow, and the sign-ins of OpenHarness beside those of our own. */
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { layer as flowLayer, OAuthFlow } from "@letterhead/oauth/flow/OAuthFlow"
import * as OAuthSource from "@letterhead/oauth/OAuthSource"
import * as OpenHarnessMigration from "@letterhead/oauth/openharness/OpenHarnessMigration"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { OAuthOptions } from "./OAuthLayer.ts"
import * as OAuthNetwork from "./OAuthNetwork.ts"
import * as OpenHarnessSignIns from "./OpenHarnessSignIns.ts"

/** The sign-ins of this person, wherever they are kept. */
export const migration = Effect.fnUntraced(function* (options: OAuthOptions) {
  const store = yield* SecretStore
  return OpenHarnessMigration.make({ store, ...(yield* OpenHarnessSignIns.make(options)) })
})

/** The source of this person's sign-ins. Whatever it asks goes by way of {@link OAuthNetwork}. */
export const source = (options: OAuthOptions) => Effect.provide(make(options), OAuthNetwork.layer(options))

const make = Effect.fnUntraced(function* (options: OAuthOptions) {
  const { flow: migrating, store } = yield* migration(options)
  const built = yield* Layer.build(
    flowLayer.pipe(Layer.provide([options.signIn ?? layerNever, Layer.succeed(SecretStore, store)]))
  )
  return yield* OAuthSource.make.pipe(
    Effect.provideService(SecretStore, store),
    Effect.provideService(OAuthFlow, migrating(Context.get(built, OAuthFlow)))
  )
})
