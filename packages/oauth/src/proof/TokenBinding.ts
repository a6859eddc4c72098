/**
 * Whether a token is bound to a key (RFC 9449), for sign-ins and for grants without a person alike: where the server asks
 * for it and the authorization server takes an algorithm of ours. A server that takes no other token gets none that is not
 * bound.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import type { DpopSession } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type { AuthorizationServer } from "../discovery/AuthorizationServer.ts"
import type { TokenAnswer } from "../grant/TokenRequest.ts"
import * as ForeignText from "../http/ForeignText.ts"
import * as ProofKey from "./ProofKey.ts"
import * as ProofSession from "./ProofSession.ts"

/** For one token, or several that follow one another. */
export interface TokenBinding {
  /** For the request of the token; absent where nobody wants one that is bound. */
  readonly dpop?: DpopSession
  /** What was given with it, and the key where it is bound; fails where it had to be, and is not. */
  readonly settle: (tokens: TokenAnswer) => Effect.Effect<Settled, SignInFailed>
}

interface Settled extends TokenAnswer {
  readonly proofKey?: ProofKey.ProofKey
}

/**
 * By what both servers say. `earlier` is the key of the token before: it is used as long as nobody asks for another
 * algorithm, also where nothing is said of keys any more. Fails where a token has to be bound, and cannot be.
 */
export const make = Effect.fn("TokenBinding.make")(function* (
  authorizationServer: AuthorizationServer,
  earlier?: ProofKey.ProofKey
): Effect.fn.Return<TokenBinding, SignInFailed> {
  const bound = yield* keyOf(authorizationServer, earlier)
  return {
    ...(bound === undefined ? {} : { dpop: bound.session }),
    settle: (tokens) => {
      if (tokens.tokenType === "DPoP") {
        return Effect.succeed({ ...tokens, ...(bound === undefined ? {} : { proofKey: bound.key }) })
      }
      return authorizationServer.binding?.isRequired === true
        ? Effect.fail(new SignInFailed({ description: UNBOUND }))
        : Effect.succeed(tokens)
    }
  }
})

const keyOf = Effect.fnUntraced(function* (
  { binding, issuer }: AuthorizationServer,
  earlier: ProofKey.ProofKey | undefined
) {
  const algorithm = binding === undefined ? earlier?.algorithm : binding.algorithm
  if (algorithm !== undefined) {
    return earlier?.algorithm === algorithm
      ? { key: earlier, session: yield* Effect.orDie(ProofSession.restore(earlier)) }
      : yield* ProofSession.make(algorithm)
  }
  if (binding?.isRequired !== true) return undefined
  return yield* new SignInFailed({
    description:
      `the server takes only tokens that are bound to a key (DPoP), and its authorization server ` +
      `${ForeignText.shown(issuer)} offers none of the algorithms ${ProofKey.ALGORITHMS.join(", ")}; tell whoever runs it`
  })
})

const UNBOUND =
  "the authorization server did not bind the token to a key (DPoP), without which the server does not take it; tell " +
  "whoever runs it"
