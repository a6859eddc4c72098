/**
 * Token exchange (RFC 8693): the token of a caller for one that the MCP server takes.
 *
 * The subject token is that of the call, and is sent to the token endpoint only.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface TokenExchangeOptions extends TokenRequest.GrantOptions {
  readonly subjectToken: Redacted.Redacted
  /** Default: `urn:ietf:params:oauth:token-type:access_token`. */
  readonly subjectTokenType?: string
  /** Default: an access token. */
  readonly requestedTokenType?: string
  /** The name of the service that the token is for, where the resource does not say it. Default: none. */
  readonly audience?: string
  readonly scopes: ReadonlyArray<string>
}

export const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

export const request = (
  options: TokenExchangeOptions
): Effect.Effect<TokenRequest.TokenAnswer, GrantError.GrantError> =>
  TokenRequest.send(options, {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: options.subjectToken,
    subject_token_type: options.subjectTokenType ?? ACCESS_TOKEN,
    requested_token_type: options.requestedTokenType ?? ACCESS_TOKEN,
    audience: options.audience,
    scope: TokenRequest.scopeOf(options.scopes)
  })
