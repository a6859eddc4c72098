/**
 * The `DPoP` field of each request with a token that is bound to a key (RFC 9449): a proof for its method and URL that is
 * signed when it is written, and never sent twice.
 *
 * A nonce that the server gives goes into the next proof. Where the server refuses a request for want of one, the request
 * is sent again with it, once; the token stays the same.
 */
import { HeaderError, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { RequestProof } from "@letterhead/core/headers/RequestProof"
import type { DpopSession } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ProofKey from "./ProofKey.ts"
import type { KeyBroken } from "./ProofSession.ts"
import type { IssuedTokens } from "../token/TokenRecord.ts"

export interface DpopProofOptions {
  /** The name of the entry, and the id of the source that has the token; for errors. */
  readonly server: string
  readonly source: string
  /** With the key that the token is bound to. */
  readonly session: Effect.Effect<DpopSession, KeyBroken>
  readonly accessToken: Redacted.Redacted
  /** Where the token is from. */
  readonly declared: string
}

export const make = (options: DpopProofOptions): RequestProof => {
  const { accessToken, declared, server, source } = options
  const failed = (reason: HeaderError["reason"]) => new HeaderError({ server, source, reason })
  let session: DpopSession | undefined
  return {
    prove: Effect.fnUntraced(function* ({ method, url }) {
      const signing = (session ??= yield* Effect.mapError(options.session, ({ message }) =>
        failed(new SignInRequired({ server, description: message }))
      ))
      const proof = yield* Effect.promise(() =>
        signing.buildProof({ htm: method, htu: url, accessToken: Redacted.value(accessToken) })
      )
      return [yield* Effect.mapError(Effect.fromResult(HeaderPatch.setField("DPoP", proof, declared)), failed)]
    }),
    answered: ({ url }, answer) => {
      const nonce = answer.field("dpop-nonce")
      if (nonce === undefined || !NONCE.test(nonce)) return false
      session?.rememberNonce(url, nonce)
      return answer.status === 401 && ASKS_FOR_NONCE.test(answer.field("www-authenticate") ?? "")
    }
  }
}

/** What each token that an entry has for a principal needs; nothing where it is bound to no key. */
export type ProofOf = (
  token: Pick<IssuedTokens, "accessToken" | "proofKey">,
  declared: string
) => RequestProof | undefined

/** A token that comes after another with the same key goes on with the nonce that the server gave. */
export const ofTokens = (server: string, source: string): ProofOf => {
  let known: { readonly thumbprint: string; readonly session: DpopProofOptions["session"] } | undefined
  return ({ accessToken, proofKey }, declared) => {
    if (proofKey === undefined) return undefined
    const thumbprint = ProofKey.thumbprint(proofKey)
    if (known?.thumbprint !== thumbprint) known = { thumbprint, session: sessionOf(proofKey) }
    return make({ server, source, session: known.session, accessToken, declared })
  }
}

/** The session of a stored key, made when it is first needed: that loads the SDK. */
const sessionOf = (key: ProofKey.ProofKey): DpopProofOptions["session"] => {
  let session: DpopSession | undefined
  return Effect.suspend(() =>
    session === undefined
      ? Effect.promise(() => import("./ProofSession.ts")).pipe(
          Effect.flatMap(({ restore }) => restore(key)),
          // Of several that were made at once, one is kept: it knows the nonce.
          Effect.map((made) => (session ??= made))
        )
      : Effect.succeed(session)
  )
}

/** What RFC 9449, section 8.1, takes for one, and no more of it than a request can carry. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

const ASKS_FOR_NONCE = /\bdpop\b.*\berror\s*=\s*"?use_dpop_nonce\b/is
