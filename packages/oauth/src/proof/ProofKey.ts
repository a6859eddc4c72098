/**
 * The key that a token is bound to (RFC 9449), as it is kept with the token: whoever has both can use it, whoever has the
 * token alone cannot. It is made for one sign-in, on an elliptic curve.
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"

/** Of JWS, in the order of preference. */
export const ALGORITHMS = ["ES256", "ES384", "ES512", "EdDSA"] as const

export type Algorithm = (typeof ALGORITHMS)[number]

export interface ProofKey {
  readonly algorithm: Algorithm
  /** What each proof shows. */
  readonly publicKey: PublicKey
  /** `d` of the private key as a JWK. */
  readonly secret: Redacted.Redacted
}

/** A JWK without anything secret, nor anything of no use; `y` is absent on a curve that has none. */
export interface PublicKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
}

const Coordinate = Schema.String.check(Schema.isPattern(/^[\w-]{1,128}$/))

/** A private key as a JWK (RFC 7517), which names its algorithm. */
export const PrivateKey = Schema.Struct({
  kty: Schema.Literals(["EC", "OKP"]),
  crv: Schema.Literals(["P-256", "P-384", "P-521", "Ed25519"]),
  x: Coordinate,
  y: Schema.optionalKey(Coordinate),
  d: Coordinate,
  alg: Schema.Literals(ALGORITHMS)
})
export type PrivateKey = typeof PrivateKey.Type

export const fromPrivateKey = ({ alg, d, ...publicKey }: PrivateKey): ProofKey => ({
  algorithm: alg,
  publicKey,
  secret: Redacted.make(d, { label: "proof key" })
})

/** With the secret in plain text: for the store, and for what signs. */
export const toPrivateKey = ({ algorithm, publicKey, secret }: ProofKey) => ({
  ...publicKey,
  d: Redacted.value(secret),
  alg: algorithm
})

/** By what a server knows the key: its SHA-256 thumbprint (RFC 7638), `cnf.jkt` of a token that is bound to it. */
export const thumbprint = ({ publicKey: { crv, kty, x, y } }: ProofKey): string =>
  createHash("sha256")
    // Its members in the order of their names, without a blank.
    .update(JSON.stringify(y === undefined ? { crv, kty, x } : { crv, kty, x, y }))
    .digest("base64url")

/** The algorithm that each of these lists has, where there is one; a list that is not known allows all. */
export const algorithmOf = (...lists: ReadonlyArray<ReadonlyArray<string> | undefined>): Algorithm | undefined =>
  ALGORITHMS.find((algorithm) => lists.every((list) => list === undefined || list.includes(algorithm)))
