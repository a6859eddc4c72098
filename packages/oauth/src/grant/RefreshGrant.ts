/**
 * The refresh token grant. `invalid_grant` comes as `GrantRefused` with that code: the refresh token is spent, revoked or
 * too old, and whoever kept it has to look whether somebody else refreshed meanwhile.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface RefreshOptions extends TokenRequest.GrantOptions {
  readonly refreshToken: Redacted.Redacted
  /** Not sent; masked in what the authorization server says, which knows it. */
  readonly accessToken?: Redacted.Redacted
}

/** An answer without a refresh token means that the old one stays valid. Asks for the scopes that were granted. */
export const refresh = (options: RefreshOptions): Effect.Effect<TokenRequest.TokenAnswer, GrantError.GrantError> =>
  TokenRequest.send(
    options,
    { grant_type: "refresh_token", refresh_token: options.refreshToken },
    options.accessToken === undefined ? [] : [options.accessToken]
  )
