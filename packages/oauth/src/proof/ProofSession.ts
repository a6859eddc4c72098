/**
 * Sessions of the SDK, which sign proofs with a key and remember the nonce of each server they talk to.
 *
 * The key of a session cannot be taken out of it again.
 */
import { DpopSession, generateDpopKeyPair } from "@modelcontextprotocol/client"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ProofKey from "./ProofKey.ts"

/** A stored key that is none: nothing can be signed with it. */
export class KeyBroken extends Data.TaggedError("KeyBroken") {
  override get message(): string {
    return "the key that the token is bound to cannot be used"
  }
}

/** A new key, and a session with it. */
export const make = Effect.fn("ProofSession.make")(function* (algorithm: ProofKey.Algorithm) {
  const key = yield* Effect.promise(async () => {
    const { privateKey } = await generateDpopKeyPair({ alg: algorithm, extractable: true })
    const exported = await crypto.subtle.exportKey("jwk", privateKey)
    // The schema's own message would quote the key.
    return Option.getOrThrowWith(decode({ ...exported, alg: algorithm }), () => new KeyBroken())
  })
  const made = ProofKey.fromPrivateKey(key)
  return { key: made, session: yield* Effect.orDie(restore(made)) }
})

/** A session with a key that was made before. */
export const restore = (key: ProofKey.ProofKey): Effect.Effect<DpopSession, KeyBroken> =>
  Effect.tryPromise({
    try: async () => {
      const { algorithm: alg, publicKey: publicJwk } = key
      const { alg: _, ...jwk } = ProofKey.toPrivateKey(key)
      const [privateKey, publicKey] = await Promise.all([
        crypto.subtle.importKey("jwk", jwk, PARAMETERS[alg], false, ["sign"]),
        crypto.subtle.importKey("jwk", { ...publicJwk }, PARAMETERS[alg], true, ["verify"])
      ])
      const thumbprint = ProofKey.thumbprint(key)
      return DpopSession.create({ keyPair: { privateKey, publicKey, publicJwk, thumbprint, alg } })
    },
    catch: () => new KeyBroken()
  })

const decode = Schema.decodeUnknownOption(ProofKey.PrivateKey)

/** What Web Crypto calls them. */
const PARAMETERS = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384" },
  ES512: { name: "ECDSA", namedCurve: "P-521" },
  EdDSA: { name: "Ed25519" }
} as const
