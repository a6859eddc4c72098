/** Checks a DPoP proof as RFC 9449, section 4.3, says, with nothing of what makes one. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash, createPublicKey, verify } from "node:crypto"

/** What a proof that is right says. */
export interface Proven {
  readonly id: string
  readonly nonce: string | undefined
  /** Of the key. */
  readonly thumbprint: string
}

const Head = Schema.Struct({
  typ: Schema.Literal("dpop+jwt"),
  alg: Schema.Literal("ES256"),
  jwk: Schema.Record(Schema.String, Schema.String)
})
const Payload = Schema.Struct({
  jti: Schema.String,
  htm: Schema.String,
  htu: Schema.String,
  iat: Schema.Finite,
  ath: Schema.optionalKey(Schema.String),
  nonce: Schema.optionalKey(Schema.String)
})
const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(Head))
const decodePayload = Schema.decodeUnknownOption(Schema.fromJsonString(Payload))

/** Seconds that a clock may be wrong. */
const SKEW = 300

export class ProofCheck {
  readonly #ids = new Set<string>()

  /** What it says, or what is wrong with it. `token` is what it comes with. */
  verify(
    proof: string,
    request: { readonly method: string; readonly url: URL; readonly token: string | undefined }
  ): Proven | string {
    const [head = "", payload = "", signature = "", ...more] = proof.split(".")
    const said = Option.getOrUndefined(decodePayload(text(payload)))
    const header = Option.getOrUndefined(decodeHead(text(head)))
    if (said === undefined || header === undefined || more.length > 0) return "it is no proof"
    const { jwk } = header
    if (Object.keys(jwk).toSorted().join() !== "crv,kty,x,y") return "its key has more than a public key"
    const key = createPublicKey({ key: jwk, format: "jwk" })
    const signed = Buffer.from(`${head}.${payload}`)
    if (!verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"))) {
      return "its signature is wrong"
    }
    if (said.htm !== request.method) return `it is for ${said.htm} and not ${request.method}`
    if (said.htu !== `${request.url.origin}${request.url.pathname}`) return `it is for ${said.htu}`
    if (said.ath !== (request.token === undefined ? undefined : digest(request.token))) return "it is for another token"
    if (Math.abs(Date.now() / 1_000 - said.iat) > SKEW) return "it is of another time"
    if (this.#ids.has(said.jti)) return "it came twice"
    this.#ids.add(said.jti)
    const thumbprint = digest(JSON.stringify({ crv: jwk["crv"], kty: jwk["kty"], x: jwk["x"], y: jwk["y"] }))
    return { id: said.jti, nonce: said.nonce, thumbprint }
  }
}

const text = (part: string): string => Buffer.from(part, "base64url").toString("utf8")

const digest = (of: string): string => createHash("sha256").update(of).digest("base64url")
