import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import * as Challenge from "../src/discovery/Challenge.ts"

describe("Challenge.parse", () => {
  const METADATA = "https://example.com/.well-known/oauth-protected-resource"

  it("reads where the metadata is, which scope is missing, and why", () => {
    expect(Challenge.parse(`Bearer resource_metadata="${METADATA}", scope="a b", error="insufficient_scope"`)).toEqual({
      resourceMetadata: new URL(METADATA),
      scope: "a b",
      error: "insufficient_scope"
    })
  })

  it("is none where no token is asked for", () => {
    for (const field of [undefined, "", "Basic realm=x", "Negotiate", "X-DPoP algs=ES256", "Digest dpop"]) {
      expect(Challenge.parse(field)).toBeUndefined()
    }
  })

  it("says whether a token that is bound to a key is taken, whether no other is, and for which algorithms", () => {
    const bindings = {
      "Bearer realm=x": undefined,
      DPoP: { isRequired: true },
      "dpop resource_metadata=x": { isRequired: true },
      'DPoP algs="ES256 PS256"': { isRequired: true, algorithms: ["ES256", "PS256"] },
      'Bearer, DPoP algs="ES256"': { isRequired: false, algorithms: ["ES256"] },
      'DPoP algs="ES256", Bearer realm="x"': { isRequired: false, algorithms: ["ES256"] },
      'Basic realm="x", DPoP': { isRequired: true }
    }
    for (const [field, binding] of Object.entries(bindings)) expect(Challenge.parse(field)?.binding).toEqual(binding)
  })

  it("leaves out what repeats the token that was refused", () => {
    const token = "token/of+ada"
    const field =
      `Bearer error="insufficient_scope", scope="read ${token}", ` +
      `resource_metadata="https://mcp.example.com/${encodeURIComponent(token)}"`
    expect(Challenge.parse(field, Redacted.make(token))).toEqual({ error: "insufficient_scope" })
    expect(Challenge.parse(field, Redacted.make("another"))?.scope).toBe(`read ${token}`)
  })
})
