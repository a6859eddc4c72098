/** Somebody who signs in and consents to everything at once, without a browser. */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import { SignIn, type SignInRequest } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const consenting = Layer.succeed(SignIn, {
  authorize: Effect.fnUntraced(function* ({ authorizationUrl }: SignInRequest) {
    const redirectUri = "http://127.0.0.1:9/callback"
    const state = "s".repeat(43)
    const url = yield* authorizationUrl(redirectUri, state)
    const answer = yield* Effect.tryPromise({
      try: () => fetch(url, { redirect: "manual" }),
      catch: () => new SignInFailed({ description: "the person's browser got no answer" })
    })
    return { parameters: new URL(answer.headers.get("location") ?? "").searchParams, redirectUri, state }
  })
})
