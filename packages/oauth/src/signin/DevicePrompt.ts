/**
 * Signing in by a code that the person enters on a device of theirs (RFC 8628): shown, and asked for until it is done.
 *
 * The authorization server is asked no more often than it wants. Where it cannot be reached, it is asked more slowly, and
 * after {@link FAILURE_LIMIT} failures in a row no more. It ends when the code expires.
 */
import {
  type HeaderErrorReason,
  SignInFailed,
  SignInRequired,
  type TokenFailed
} from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import * as ForeignText from "../http/ForeignText.ts"
import { DEFAULT_INTERVAL, type DeviceRequest } from "./SignIn.ts"
import { reachesPerson, SignInNotice, type SignInPrompt } from "./SignInPrompt.ts"
import * as WebAddress from "./WebAddress.ts"

/** Seconds that are added to the interval each time that the authorization server says that it is asked too often. */
export const SLOWER = 5
/** Seconds that a code is waited for at most, however long it is good for. */
export const EXPIRY_LIMIT = 1_800
/** Failures in a row to reach the authorization server. */
export const FAILURE_LIMIT = 3
/** Characters of a code at most; longer ones are nothing that a person types. */
export const CODE_LIMIT = 64

/** Shows the code and waits until the person has entered it; fails where nobody would see it. */
export const authorize = Effect.fn("DevicePrompt.authorize")(function* <A>(
  request: DeviceRequest<A>,
  prompt: SignInPrompt
): Effect.fn.Return<A, HeaderErrorReason> {
  const { server } = request
  const { show } = prompt
  if (show === undefined || !reachesPerson(prompt)) {
    return yield* new SignInRequired({
      server,
      description: "there is no terminal to show a code on; sign in from one"
    })
  }
  const address = yield* WebAddress.require(request.verificationUri)
  const complete =
    request.verificationUriComplete === undefined
      ? undefined
      : yield* WebAddress.require(request.verificationUriComplete)
  const userCode = ForeignText.shown(request.userCode)
  if (userCode === "" || userCode.length > CODE_LIMIT) {
    return yield* new SignInFailed({ description: "the authorization server gave no code that a person could enter" })
  }
  const expiresIn = Math.min(positive(request.expiresIn, EXPIRY_LIMIT), EXPIRY_LIMIT) * 1_000

  yield* show(SignInNotice.Device({ server, address, complete, userCode, expiresIn }))
  return yield* Effect.timeoutOrElse(wait(request), { duration: expiresIn, orElse: () => Effect.fail(expired) })
})

const wait = Effect.fnUntraced(function* <A>({ interval, poll }: DeviceRequest<A>) {
  let seconds = positive(interval ?? DEFAULT_INTERVAL, DEFAULT_INTERVAL)
  let failures = 0
  while (true) {
    yield* Effect.sleep(seconds * 1_000)
    const outcome = yield* Effect.catchTag(poll, "TokenFailed", (failure: TokenFailed) =>
      ++failures < FAILURE_LIMIT ? Effect.succeed(failure) : Effect.fail(failure)
    )
    if (outcome._tag === "Done") return outcome.value
    if (outcome._tag !== "Pending") seconds += SLOWER
    if (outcome._tag !== "TokenFailed") failures = 0
  }
})

/** A number of seconds from elsewhere. */
const positive = (seconds: number, otherwise: number): number =>
  Number.isFinite(seconds) && seconds > 0 ? seconds : otherwise

const expired = new SignInFailed({ description: "nobody entered the code before it expired; sign in again" })
