/** Keys that tokens are bound to: how a server knows one, how it is kept, and what is signed with it. */
import { it } from "@effect/vitest"
import { SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createPublicKey, verify } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect } from "vitest"
import * as DpopProof from "../src/proof/DpopProof.ts"
import * as ProofKey from "../src/proof/ProofKey.ts"
import * as ProofSession from "../src/proof/ProofSession.ts"

const decode = Schema.decodeUnknownSync(ProofKey.PrivateKey)
const TOKEN = Redacted.make("token")
const URL_OF_SERVER = new URL("https://example.com/mcp?tenant=a#there")

/** The parts of a proof. */
const partsOf = (proof: string) =>
  proof
    .split(".")
    .slice(0, 2)
    .map((part): unknown => JSON.parse(Buffer.from(part, "base64url").toString("utf8")))

const proofBy = (key: ProofKey.ProofKey) =>
  Effect.gen(function* () {
    const session = ProofSession.restore(key)
    const proof = DpopProof.make({ server: "example", source: "test", session, accessToken: TOKEN, declared: "here" })
    const [field] = yield* proof.prove({ method: "post", url: URL_OF_SERVER })
    return Redacted.value(field?.value ?? Redacted.make(""))
  })

const decodePayload = Schema.decodeUnknownSync(
  Schema.Struct({ jti: Schema.String, nonce: Schema.optionalKey(Schema.String) })
)

const request = { method: "POST", url: URL_OF_SERVER }

const answer = (status: number, fields: Readonly<Record<string, string>>) => ({
  status,
  field: (name: string) => fields[name]
})

describe("ProofKey", () => {
  it("is known to servers by its thumbprint, as RFC 9449, section 6.1, has it", () => {
    const key = ProofKey.fromPrivateKey({
      kty: "EC",
      crv: "P-256",
      x: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
      y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
      d: "AAAA",
      alg: "ES256"
    })
    expect(ProofKey.thumbprint(key)).toBe("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
  })

  for (const algorithm of ProofKey.ALGORITHMS) {
    it.effect(`of ${algorithm} comes back from the store as it was, and signs what its public half verifies`, () =>
      Effect.gen(function* () {
        const { key, session } = yield* ProofSession.make(algorithm)
        const kept = ProofKey.fromPrivateKey(decode(JSON.parse(JSON.stringify(ProofKey.toPrivateKey(key)))))
        expect(ProofKey.toPrivateKey(kept)).toEqual(ProofKey.toPrivateKey(key))
        expect(session.thumbprint).toBe(ProofKey.thumbprint(kept))
        const proof = yield* proofBy(kept)
        const [header, payload] = partsOf(proof)
        expect(header).toEqual({ alg: algorithm, typ: "dpop+jwt", jwk: key.publicKey })
        expect(payload).toMatchObject({ htm: "POST", htu: "https://example.com/mcp" })
        const publicKey = createPublicKey({ key: { ...key.publicKey }, format: "jwk" })
        const end = proof.lastIndexOf(".")
        const hash = algorithm === "EdDSA" ? null : `sha${algorithm.slice(2)}`
        const verifier = { key: publicKey, dsaEncoding: "ieee-p1363" } as const
        const signature = Buffer.from(proof.slice(end + 1), "base64url")
        expect(verify(hash, Buffer.from(proof.slice(0, end)), verifier, signature)).toBe(true)
      })
    )
  }

  it.effect("hides its private half wherever it is printed", () =>
    Effect.gen(function* () {
      const { key, session } = yield* ProofSession.make("ES256")
      const secret = Redacted.value(key.secret)
      for (const text of [inspect(key, { depth: 10 }), JSON.stringify(key), inspect(session, { depth: 10 })]) {
        expect(text).not.toContain(secret)
      }
    })
  )

  it.effect("that is none ends in an error that says what to do, and quotes nothing", () =>
    Effect.gen(function* () {
      const { key } = yield* ProofSession.make("ES256")
      const wrong = [
        { ...key, publicKey: { ...key.publicKey, x: "AQAB" } },
        { ...key, algorithm: "ES384" as const },
        { ...key, algorithm: "EdDSA" as const },
        { ...key, secret: Redacted.make("not%base64") }
      ]
      for (const one of wrong) {
        const error = yield* Effect.flip(proofBy(one))
        expect(error.reason).toBeInstanceOf(SignInRequired)
        expect(error.message).toContain("letterhead login example")
        expect(inspect(error, { depth: 10 })).not.toContain(Redacted.value(one.secret))
      }
    })
  )

  it("is of the first algorithm of ours that all have; a list that nobody gave allows all", () => {
    expect(ProofKey.algorithmOf()).toBe("ES256")
    expect(ProofKey.algorithmOf(["EdDSA", "ES384"], undefined)).toBe("ES384")
    expect(ProofKey.algorithmOf(["EdDSA", "ES384"], ["EdDSA"])).toBe("EdDSA")
    expect(ProofKey.algorithmOf(["ES256"], [])).toBeUndefined()
  })
})

describe("DpopProof", () => {
  const make = Effect.gen(function* () {
    const { session } = yield* ProofSession.make("ES256")
    const options = { server: "example", source: "test", accessToken: TOKEN, declared: "here" }
    return DpopProof.make({ ...options, session: Effect.succeed(session) })
  })
  const DEMAND = { "dpop-nonce": "n-1", "www-authenticate": 'DPoP error="use_dpop_nonce"' }

  it.effect("is another one each time, with the nonce that came last", () =>
    Effect.gen(function* () {
      const proof = yield* make
      const next = Effect.map(proof.prove(request), ([field]) =>
        decodePayload(partsOf(Redacted.value(field?.value ?? Redacted.make(""))).at(1))
      )
      const made = [yield* next]
      expect(proof.answered(request, answer(401, DEMAND))).toBe(true)
      made.push(yield* next)
      expect(proof.answered(request, answer(200, { "dpop-nonce": "n-2" }))).toBe(false)
      made.push(yield* next)
      expect(proof.answered(request, answer(200, {}))).toBe(false)
      made.push(yield* next)
      expect(made.map(({ nonce }) => nonce)).toEqual([undefined, "n-1", "n-2", "n-2"])
      expect(new Set(made.map(({ jti }) => jti)).size).toBe(4)
    })
  )

  it.effect("is refused for want of a nonce only where one comes with a 401 that says so", () =>
    Effect.gen(function* () {
      const proof = yield* make
      yield* proof.prove(request)
      const field = (said: string) => ({ ...DEMAND, "www-authenticate": said })
      for (const said of [
        'Bearer, DPoP error="use_dpop_nonce"',
        "dpop error=use_dpop_nonce",
        'DPoP a="b", error = "use_dpop_nonce"'
      ]) {
        expect(proof.answered(request, answer(401, field(said)))).toBe(true)
      }
      for (const said of [
        'DPoP error="invalid_token"',
        'Bearer error="use_dpop_nonce"',
        'DPoP error="use_dpop_nonces"',
        ""
      ]) {
        expect(proof.answered(request, answer(401, field(said)))).toBe(false)
      }
      expect(proof.answered(request, answer(400, DEMAND))).toBe(false)
      for (const nonce of ["", "a b", 'a"b', "a".repeat(1_025)]) {
        expect(proof.answered(request, answer(401, { ...DEMAND, "dpop-nonce": nonce }))).toBe(false)
      }
    })
  )
})
