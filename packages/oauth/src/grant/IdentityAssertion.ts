/**
 * Enterprise-managed authorization: whom the company's identity provider knows gets a token without a further sign-in.
 *
 * The id token of a person is exchanged at the identity provider for an identity assertion (ID-JAG) that is meant for the
 * MCP server's authorization server, and that one gives a token for it.
 */
import {
  discoverAndRequestJwtAuthGrant,
  type FetchLike,
  type JwtAuthGrantResult,
  requestJwtAuthorizationGrant
} from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as GrantError from "./GrantError.ts"
import * as JwtBearer from "./JwtBearer.ts"
import type { OAuthClient } from "../client/OAuthClient.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface IdentityAssertionOptions extends TokenRequest.GrantOptions {
  readonly identityProvider: {
    /** Its issuer, whose metadata names the token endpoint. */
    readonly issuer: string
    /** For one whose metadata does not say it. */
    readonly tokenEndpoint?: URL
    /** What this program is there. */
    readonly client: OAuthClient
    /** For the requests to it. Default: that of the others. */
    readonly fetch?: FetchLike
  }
  /** Of the person, from the identity provider. */
  readonly idToken: Redacted.Redacted
  readonly scopes: ReadonlyArray<string>
}

export const request = Effect.fn("IdentityAssertion.request")(function* (
  options: IdentityAssertionOptions
): Effect.fn.Return<TokenRequest.TokenAnswer, GrantError.GrantError> {
  const { jwtAuthGrant } = yield* Effect.tryPromise({
    try: (signal) => {
      const fetch = options.identityProvider.fetch ?? options.fetch
      return assertion(options, (input, init) => fetch(input, { ...init, signal }))
    },
    catch: (error) => failureOf(error, options)
  })
  return yield* JwtBearer.request({ ...options, assertion: Redacted.make(jwtAuthGrant) })
})

const assertion = (
  { authorizationServer, idToken, identityProvider, scopes }: IdentityAssertionOptions,
  fetchFn: FetchLike
): Promise<JwtAuthGrantResult> => {
  const scope = TokenRequest.scopeOf(scopes)
  const { client, issuer, tokenEndpoint } = identityProvider
  const request = {
    audience: authorizationServer.issuer,
    resource: authorizationServer.resource,
    idToken: Redacted.value(idToken),
    clientId: client.id,
    fetchFn,
    ...(client.secret === undefined ? {} : { clientSecret: Redacted.value(client.secret) }),
    ...(scope === undefined ? {} : { scope })
  }
  return tokenEndpoint === undefined
    ? discoverAndRequestJwtAuthGrant({ ...request, idpUrl: issuer })
    : requestJwtAuthorizationGrant({ ...request, tokenEndpoint })
}

/** The SDK has a refusal of this request in the text of an error only. */
const failureOf = (error: unknown, { idToken, identityProvider }: IdentityAssertionOptions): GrantError.GrantError => {
  const refusal = error instanceof Error ? REFUSAL.exec(error.message) : null
  if (refusal === null) return GrantError.fromUnknown(error, [])
  const secrets = [idToken, ...TokenRequest.secretsOf(identityProvider.client)]
  const { code, description } = GrantError.refused(refusal[1] ?? "", refusal[2] ?? "", secrets)
  return new GrantError.GrantRefused({ code, description, by: "identity provider" })
}

const REFUSAL = /^Token exchange failed: ([a-z][a-z_]{0,63})(?: - ([^]*))?$/
