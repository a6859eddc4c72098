/** What a token that is a JWT says of itself, as it may be shown. */
import { assert, describe, it } from "@effect/vitest"
import * as TokenClaims from "@letterhead/oauth/token/TokenClaims"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const tokenOf = (claims: unknown) =>
  Redacted.make(["{}", JSON.stringify(claims), "s"].map((part) => Buffer.from(part).toString("base64url")).join("."))

describe("the claims of a token", () => {
  it("hold none of the secrets, wherever and however the server writes them", () => {
    const secret = "refresh/of+ada"
    const claims = {
      sub: "ada",
      exp: 4_102_444_800,
      note: `it is ${secret}`,
      deep: [{ [secret]: encodeURIComponent(secret), none: null, yes: true }],
      digits: 13_371_337
    }
    const decoded = TokenClaims.decode(tokenOf(claims), [Redacted.make(secret), Redacted.make("13371337")])
    assert.deepStrictEqual(Option.getOrUndefined(decoded), {
      sub: "ada",
      exp: 4_102_444_800,
      note: "it is ***",
      deep: [{ "***": "***", none: null, yes: true }],
      digits: "***"
    })
  })

  it("are none of what is no JWT, or nests deeper than anybody reads", () => {
    for (const token of ["opaque", "a.b.c", `e30.${Buffer.from("[]").toString("base64url")}.s`]) {
      assert.isTrue(Option.isNone(TokenClaims.decode(Redacted.make(token), [])))
    }
    const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
    const token = Redacted.make(`e30.${Buffer.from(deep).toString("base64url")}.s`)
    assert.isTrue(Option.isNone(TokenClaims.decode(token, [])))
  })
})
