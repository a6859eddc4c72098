/** The whole way with a listener that listens and a browser that is a request. */
import { assert, describe, it } from "@effect/vitest"
import { TokenFailed } from "@letterhead/core/headers/HeaderError"
import { BrowserLauncher, BrowserMissing } from "@letterhead/oauth/signin/BrowserLauncher"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import { SIGN_IN_LIMIT, SignIn, type SignInRequest } from "@letterhead/oauth/signin/SignIn"
import { SignInPrompt } from "@letterhead/oauth/signin/SignInPrompt"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as ScriptedPrompt from "./support/ScriptedPrompt.ts"
import { visit, withQuery } from "./support/Visit.ts"

const ISSUER = "https://issuer.example"
const CODE = "the-code-that-was-given"

const request: SignInRequest = {
  server: "linear",
  issuer: { issuer: ISSUER, promised: true },
  authorizationUrl: (redirectUri, state) =>
    Effect.succeed(new URL(withQuery(`${ISSUER}/authorize`, { redirect_uri: redirectUri, state, scope: "read" })))
}

/** The authorization server sends the person back with a code. */
const comeBack = (address: string) => {
  const { searchParams } = new URL(address)
  const parameters = { state: searchParams.get("state") ?? "", code: CODE, iss: ISSUER }
  return visit(withQuery(searchParams.get("redirect_uri") ?? "", parameters))
}

const missing = Effect.fail(new BrowserMissing({ description: "this machine has no screen" }))

const signIn = (
  options: { readonly open: BrowserLauncher["Service"]["open"]; readonly prompt?: SignInPrompt },
  asked: SignInRequest = request
) =>
  Effect.flatMap(SignIn, (service) => service.authorize(asked)).pipe(
    Effect.provide(
      BrowserSignIn.layer.pipe(
        Layer.provide(Layer.succeed(BrowserLauncher, { open: options.open })),
        Layer.provide(Layer.succeed(SignInPrompt, options.prompt ?? {}))
      )
    )
  )

describe("signing in with the browser of this machine", () => {
  it.live("opens the browser, shows the address too, and gives what came back", () =>
    Effect.gen(function* () {
      const { prompt, shown } = yield* ScriptedPrompt.make()
      let opened = ""
      const answer = yield* signIn({
        prompt,
        open: (address) => {
          opened = address
          return Effect.asVoid(Effect.orDie(comeBack(address)))
        }
      })
      assert.strictEqual(answer.parameters.get("code"), CODE)
      assert.strictEqual(new URL(opened).searchParams.get("state"), answer.state)
      assert.strictEqual(new URL(opened).searchParams.get("redirect_uri"), answer.redirectUri)
      assert.lengthOf(shown, 1)
      assert.include(shown[0], opened)
      // It does not listen any more.
      assert.match((yield* Effect.flip(visit(answer.redirectUri))).message, /ECONNREFUSED/)
    })
  )

  it.live("without a browser the person is told how to go on, and may open the address by hand", () =>
    Effect.gen(function* () {
      const { next, prompt, shown } = yield* ScriptedPrompt.make()
      const signing = yield* Effect.forkChild(signIn({ prompt, open: () => missing }))
      const first = yield* next
      assert.strictEqual((yield* next)._tag, "BrowserMissing")
      assert.match(shown[1] ?? "", /this machine has no screen.*letterhead login linear --no-browser/)
      if (first._tag === "Browser") assert.strictEqual((yield* comeBack(first.address)).status, 200)
      assert.strictEqual((yield* Fiber.join(signing)).parameters.get("code"), CODE)
    })
  )

  it.live("without a browser and a terminal it ends at once, and says what else to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(signIn({ open: () => missing }))
      assert.strictEqual(error._tag, "SignInRequired")
      assert.match(error.message, /no browser was opened \(this machine has no screen\).*letterhead login linear/)
      assert.include(error.message, "--no-browser")
    })
  )

  it.live("without a browser it ends at once where only a program is told of the address", () =>
    Effect.gen(function* () {
      const { prompt, shown } = yield* ScriptedPrompt.make()
      const error = yield* Effect.flip(signIn({ prompt: { ...prompt, isSeen: false }, open: () => missing }))
      assert.strictEqual(error._tag, "SignInRequired")
      assert.strictEqual(shown.length, 1)
    })
  )

  it.effect("F75: gives up after five minutes, and listens no more", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<string>()
      const signing = yield* Effect.forkChild(
        Effect.flip(signIn({ open: (address) => Effect.asVoid(Deferred.succeed(open, address)) }))
      )
      const address = yield* Deferred.await(open)
      yield* TestClock.adjust(SIGN_IN_LIMIT)
      assert.match((yield* Fiber.join(signing)).message, /within 5 minutes/)
      assert.match((yield* Effect.flip(comeBack(address))).message, /ECONNREFUSED/)
    })
  )

  it.live("F75: an interrupted sign-in listens no more", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<string>()
      const signing = yield* Effect.forkChild(
        signIn({ open: (address) => Effect.asVoid(Deferred.succeed(open, address)) })
      )
      const address = yield* Deferred.await(open)
      yield* Fiber.interrupt(signing)
      assert.match((yield* Effect.flip(comeBack(address))).message, /ECONNREFUSED/)
    })
  )

  it.live.each(["file:///etc/passwd", "javascript:alert(1)", "http://issuer.example/authorize", "ms-settings:x"])(
    "F74: %s is neither opened nor shown",
    (address) =>
      Effect.gen(function* () {
        const { prompt, shown } = yield* ScriptedPrompt.make()
        const error = yield* Effect.flip(
          signIn(
            { prompt, open: () => Effect.die(new Error("it was opened")) },
            { ...request, authorizationUrl: () => Effect.succeed(new URL(address)) }
          )
        )
        assert.strictEqual(error._tag, "SignInFailed")
        assert.match(error.message, /is neither https nor http to this machine; it was not opened/)
        assert.deepStrictEqual(shown, [])
      })
  )

  it.live("nothing is opened where there is no address, and the failure is the caller's", () =>
    Effect.gen(function* () {
      const failure = new TokenFailed({ description: "no registration" })
      const error = yield* Effect.flip(
        signIn(
          { open: () => Effect.die(new Error("it was opened")) },
          { ...request, authorizationUrl: () => Effect.fail(failure) }
        )
      )
      assert.strictEqual(error, failure)
    })
  )
})
