/**
 * Signing in with the browser of this machine.
 *
 * A listener waits on 127.0.0.1, the browser is opened, and the address is shown as well. Where no browser opens, the
 * person can open the address by hand; where nobody sees it either, the sign-in fails at once and says what else to do.
 */
import { SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as AuthorizationAnswer from "./AuthorizationAnswer.ts"
import { BrowserLauncher } from "./BrowserLauncher.ts"
import * as CallbackListener from "./CallbackListener.ts"
import { SignIn, type SignInRequest } from "./SignIn.ts"
import { reachesPerson, SignInNotice, SignInPrompt } from "./SignInPrompt.ts"
import * as WebAddress from "./WebAddress.ts"

/** In the browser of this machine; the prompt is the one that the layer is built with. */
export const layer: Layer.Layer<SignIn, never, BrowserLauncher> = Layer.effect(
  SignIn,
  Effect.gen(function* () {
    const launcher = yield* BrowserLauncher
    const prompt = yield* SignInPrompt
    return { authorize: Effect.fn("BrowserSignIn.authorize")((request) => authorize(request, launcher, prompt)) }
  })
)

const authorize = Effect.fnUntraced(function* (
  request: SignInRequest,
  launcher: BrowserLauncher["Service"],
  prompt: SignInPrompt
) {
  const { show } = prompt
  const { callbackPort: port, issuer, server } = request
  const state = AuthorizationAnswer.makeState()
  const listener = yield* CallbackListener.listen({ server, port, state, issuer })
  const address = yield* WebAddress.require(
    yield* request.authorizationUrl(listener.redirectUri, Redacted.value(state))
  )
  if (show !== undefined) yield* show(SignInNotice.Browser({ server, address }))
  const opening = launcher.open(address).pipe(
    Effect.catch(({ description }) =>
      show === undefined || !reachesPerson(prompt)
        ? Effect.fail(
            new SignInRequired({
              server,
              description:
                `no browser was opened (${description}), and there is no terminal to show an address on; ` +
                "go to a terminal, where --no-browser does without a browser"
            })
          )
        : show(SignInNotice.BrowserMissing({ server, description }))
    ),
    Effect.andThen(Effect.never)
  )
  // The browser may be back before the program that opened it says that it has.
  return yield* Effect.raceFirst(listener.answer, opening)
}, Effect.scoped)
