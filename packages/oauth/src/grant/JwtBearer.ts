/**
 * The JWT bearer grant (RFC 7523): a token for an assertion that somebody whom the authorization server trusts has
 * signed, such as an ID-JAG (see `IdentityAssertion.ts`) or the identity of a workload.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface JwtBearerOptions extends TokenRequest.GrantOptions {
  /** A JWT. */
  readonly assertion: Redacted.Redacted
  readonly scopes: ReadonlyArray<string>
}

export const request = (options: JwtBearerOptions): Effect.Effect<TokenRequest.TokenAnswer, GrantError.GrantError> =>
  TokenRequest.send(options, {
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: options.assertion,
    scope: TokenRequest.scopeOf(options.scopes)
  })
