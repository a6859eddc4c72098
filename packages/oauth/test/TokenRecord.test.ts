/** What is kept of a sign-in, and what becomes of it when it is read again. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { describe, expect } from "vitest"
import type * as ProofKey from "../src/proof/ProofKey.ts"
import * as TokenRecord from "../src/token/TokenRecord.ts"

const proofKey: ProofKey.ProofKey = {
  algorithm: "ES256",
  publicKey: { kty: "EC", crv: "P-256", x: "eA", y: "eQ" },
  secret: Redacted.make("hunter2d")
}

const bound = { issuer: "https://a", resource: "https://b", clientId: "c", serverUrl: "https://b/mcp" }

const record: TokenRecord.TokenRecord = {
  _tag: "SignedIn",
  ...bound,
  accessToken: Redacted.make("hunter2a"),
  refreshToken: Redacted.make("hunter2r"),
  tokenType: "DPoP",
  proofKey
}

const read = (value: unknown) =>
  Effect.map(TokenRecord.decode(Option.some(Redacted.make(JSON.stringify(value)))), Option.getOrUndefined)

const written = (one: TokenRecord.StoredRecord): object => JSON.parse(Redacted.value(TokenRecord.encode(one)))

/** With all secrets in plain text. */
const plain = (one: TokenRecord.StoredRecord | undefined) => (one === undefined ? undefined : written(one))

describe("a record of a token that is bound to a key", () => {
  it.effect("comes back from the store with its key, and hides both", () =>
    Effect.gen(function* () {
      const again = yield* read(written(record))
      expect(plain(again)).toEqual(written(record))
      for (const text of [inspect(again, { depth: 10 }), JSON.stringify(again), inspect(record, { depth: 10 })]) {
        expect(text).not.toContain("hunter2")
      }
    })
  )

  it.effect("is over where the key is missing or none, whatever stands there", () =>
    Effect.gen(function* () {
      const { proofKey: key, ...without } = { proofKey: undefined, ...written(record) }
      const keys = [undefined, null, 1, "key", [], {}, { ...proofKey.publicKey, alg: "ES256" }, { ...bound }]
      expect(key).toBeDefined()
      for (const one of keys) {
        const found = yield* read({ ...without, proofKey: one })
        expect(found).toMatchObject({
          _tag: "SignedOut",
          reason: expect.stringContaining("missing or broken"),
          ...bound
        })
        expect(inspect(found, { depth: 10 })).not.toContain("hunter2")
      }
    })
  )

  it.effect("of another kind has no key, whatever stands there", () =>
    Effect.gen(function* () {
      const found = yield* read({ ...written(record), tokenType: "Bearer" })
      expect(found?._tag).toBe("SignedIn")
      expect(found).not.toHaveProperty("proofKey")
    })
  )

  it("keeps its key when it is renewed, and loses it with its tokens", () => {
    const tokens = { accessToken: Redacted.make("next"), tokenType: "DPoP" } as const
    expect(TokenRecord.issued(tokens, record, 0).proofKey).toBe(proofKey)
    const other = { ...proofKey, algorithm: "ES384" } as const
    expect(TokenRecord.issued({ ...tokens, proofKey: other }, record, 0).proofKey).toBe(other)
    expect(TokenRecord.issued({ ...tokens, tokenType: "Bearer" }, record, 0)).not.toHaveProperty("proofKey")
    expect(TokenRecord.ended(record, "over")).not.toHaveProperty("proofKey")
  })
})
