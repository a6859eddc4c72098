import { assert, it } from "@effect/vitest"
import { layerNever, SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"

it.effect("where nobody can be asked, a sign-in fails with the command that does it, and nothing is prepared", () =>
  Effect.gen(function* () {
    const service = yield* SignIn
    const error = yield* Effect.flip(
      service.authorize({ server: "linear", authorizationUrl: () => Effect.die(new Error("it was prepared")) })
    )
    assert.strictEqual(error._tag, "SignInRequired")
    assert.include(error.message, "letterhead login linear")
    assert.isUndefined(service.device)
  }).pipe(Effect.provide(layerNever))
)
