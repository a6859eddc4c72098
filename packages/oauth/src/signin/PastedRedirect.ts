/**
 * Signing in without a browser on this machine: the person opens the address anywhere, and pastes the one that their
 * browser ends at.
 *
 * Nobody listens at the redirect's address, so the browser shows an error there, with the answer in its address bar. The
 * answer is checked as one that comes by itself. A code alone, as some authorization servers show it, says neither to
 * which sign-in it belongs nor who gave it: it is taken where the person pasted it at this prompt and the authorization
 * server does not promise to name itself; the verifier, which stays in this process, ties it to this sign-in all the same.
 *
 * Where the authorization server has a device authorization endpoint, that is easier, and the layer offers it.
 */
import { SignInFailed, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as AuthorizationAnswer from "./AuthorizationAnswer.ts"
import { redirectUri } from "./CallbackListener.ts"
import * as DevicePrompt from "./DevicePrompt.ts"
import { type DeviceRequest, SIGN_IN_LIMIT, SignIn, type SignInAnswer, type SignInRequest } from "./SignIn.ts"
import { reachesPerson, SignInNotice, SignInPrompt } from "./SignInPrompt.ts"
import * as WebAddress from "./WebAddress.ts"

/** How often a person may paste something that is not the answer. */
export const ATTEMPT_LIMIT = 3

/** With a browser of any machine; the prompt is the one that the layer is built with. */
export const layer: Layer.Layer<SignIn> = Layer.effect(
  SignIn,
  Effect.map(SignInPrompt, (prompt) => ({
    authorize: Effect.fn("PastedRedirect.authorize")((request: SignInRequest) => authorize(request, prompt)),
    // Where nobody would see a code, none is asked for.
    ...(reachesPerson(prompt)
      ? { device: <A>(request: DeviceRequest<A>) => DevicePrompt.authorize(request, prompt) }
      : {})
  }))
)

const authorize = Effect.fnUntraced(function* (request: SignInRequest, prompt: SignInPrompt) {
  const { callbackPort, issuer, server } = request
  const { ask, show } = prompt
  if (ask === undefined || show === undefined || !reachesPerson(prompt)) {
    return yield* new SignInRequired({
      server,
      description: "there is no terminal to show an address on and to paste an answer into; sign in from one"
    })
  }
  const state = AuthorizationAnswer.makeState()
  const uri = redirectUri(callbackPort ?? (yield* Random.nextIntBetween(FIRST_PORT, LAST_PORT)))
  const address = yield* WebAddress.require(yield* request.authorizationUrl(uri, Redacted.value(state)))
  const expected = { redirectUri: uri, state, issuer }

  const attempt = (left: number): Effect.Effect<SignInAnswer, SignInFailed> =>
    Effect.gen(function* () {
      const line = yield* ask("The address: ")
      if (Option.isNone(line)) return yield* gaveUp
      const outcome = read(Redacted.value(line.value), expected)
      if (Result.isSuccess(outcome)) return outcome.success
      if (outcome.failure._tag === "SignInFailed") return yield* outcome.failure
      const { description } = outcome.failure
      if (left <= 1)
        return yield* new SignInFailed({ description: `what was pasted is not the answer: ${description}` })
      yield* show(SignInNotice.RedirectRefused({ server, description }))
      return yield* attempt(left - 1)
    })

  yield* show(SignInNotice.Redirect({ server, address, redirectUri: uri }))
  return yield* Effect.timeoutOrElse(attempt(ATTEMPT_LIMIT), {
    duration: SIGN_IN_LIMIT,
    orElse: () => Effect.fail(tooLate)
  })
})

/** Ports that are given to no service; whatever listens there on the person's machine got nothing without the verifier. */
const FIRST_PORT = 49_152
const LAST_PORT = 65_535

/** The answer in what was pasted; a failure does not quote it. */
const read = (pasted: string, expected: AuthorizationAnswer.Expected) => {
  const text = pasted.trim()
  // Some browsers leave the scheme out of what they show.
  const at = ["", "http://"].find((scheme) => `${scheme}${text}`.startsWith(`${expected.redirectUri}?`))
  if (at !== undefined) {
    const query = `${at}${text}`.slice(expected.redirectUri.length + 1).replace(/#.*$/, "")
    return AuthorizationAnswer.check(new URLSearchParams(query), expected)
  }
  if (!CODE.test(text) || text.includes("://") || text.startsWith("127.0.0.1")) {
    return Result.fail(
      new AuthorizationAnswer.NotOurs({
        description: `paste all of an address that begins with ${expected.redirectUri}?`
      })
    )
  }
  const parameters = new URLSearchParams({ code: text, state: Redacted.value(expected.state) })
  return AuthorizationAnswer.check(parameters, expected)
}

/** A code is visible ASCII (RFC 6749, appendix A.11). */
const CODE = /^[!-~]{4,4096}$/

const gaveUp = new SignInFailed({ description: "no address was pasted; to try again, sign in once more" })

const tooLate = new SignInFailed({
  description: `no address was pasted within ${SIGN_IN_LIMIT / 60_000} minutes; sign in again`
})
