/**
 * One token exchange at the token endpoint that an entry names.
 *
 * The person who wrote the entry chose that endpoint, so it may have an address inside a private network; it must be
 * `https` all the same, unless it and the server are on this machine.
 */
import { type HeaderErrorReason, SignInFailed } from "@letterhead/core/headers/HeaderError"
import type { TokenExchange as Settings } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as GrantError from "../grant/GrantError.ts"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import type { FlowTarget } from "./OAuthFlow.ts"
import * as TokenExchange from "../grant/TokenExchange.ts"
import type { TokenAnswer } from "../grant/TokenRequest.ts"
import { TrustedOrigins } from "../http/UrlPolicy.ts"

/** As `exchange` of `OAuthFlow`. */
export const exchange = Effect.fn("ExchangeFlow.exchange")(function* (
  { serverUrl, settings }: FlowTarget,
  { audience, subjectTokenType, tokenUrl }: Settings,
  request: { readonly subject: Redacted.Redacted; readonly scopes: ReadonlyArray<string> }
): Effect.fn.Return<TokenAnswer, HeaderErrorReason> {
  const { clientId: id, clientSecret: secret } = settings
  if (id === undefined) {
    return yield* new SignInFailed({ description: "a token exchange needs the id of a client", withoutSignIn: true })
  }
  const issuer = new URL(tokenUrl).origin
  const trusted = yield* TrustedOrigins
  return yield* Effect.flatMap(OAuthFetch.make({ serverUrl }), (fetch) =>
    TokenExchange.request({
      fetch,
      client: { id, issuer, ...(secret === undefined ? {} : { secret }) },
      authorizationServer: {
        issuer,
        metadata: { issuer, authorization_endpoint: tokenUrl, token_endpoint: tokenUrl, response_types_supported: [] },
        resource: serverUrl.href,
        scopes: request.scopes
      },
      subjectToken: request.subject,
      scopes: request.scopes,
      ...(audience === undefined ? {} : { audience }),
      ...(subjectTokenType === undefined ? {} : { subjectTokenType })
    })
  ).pipe(
    Effect.scoped,
    Effect.provideService(TrustedOrigins, [...trusted, issuer]),
    Effect.mapError((error) => GrantError.withoutSignIn(GrantError.toReason(error)))
  )
})
