/**
 * The Authorization of a client that gets its token by itself: for its secret or its key, for a person whom an identity
 * provider knows, or for the identity of a workload.
 *
 * Which of these a runtime has, it knows itself; so it makes a source of this kind, of the grants of `@letterhead/oauth`.
 * This one asks as often as a connection opens.
 */
import { HeaderError, type HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as AuthorizationServer from "@letterhead/oauth/discovery/AuthorizationServer"
import * as ClientCredentials from "@letterhead/oauth/grant/ClientCredentials"
import * as GrantError from "@letterhead/oauth/grant/GrantError"
import * as IdentityAssertion from "@letterhead/oauth/grant/IdentityAssertion"
import * as JwtBearer from "@letterhead/oauth/grant/JwtBearer"
import * as OAuthFetch from "@letterhead/oauth/http/OAuthFetch"
import type { TokenAnswer } from "@letterhead/oauth/grant/TokenRequest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthorizationContext } from "./AuthorizationContext.ts"

const ID = "grant"

type Grant = (options: ClientCredentials.ClientCredentialsOptions) => Effect.Effect<TokenAnswer, GrantError.GrantError>

/** The source of a scenario that is about such a grant; `undefined` where a person signs in. */
export const make = (scenario: string, context: AuthorizationContext, url: string): HeaderSource | undefined => {
  const grant = grantOf(scenario, context)
  if (grant === undefined) return undefined
  return {
    id: ID,
    rank: Rank.credential,
    lifetime: "connection",
    resolve: ({ name }) =>
      authorization(grant, context, new URL(url)).pipe(
        Effect.map((field) => ({ ...HeaderPatch.empty(ID, Rank.credential), set: [field] })),
        Effect.mapError((reason) => new HeaderError({ server: name, source: ID, reason }))
      )
  }
}

const grantOf = (scenario: string, context: AuthorizationContext): Grant | undefined => {
  const { idp_client_id: id, idp_id_token: idToken, idp_issuer: issuer, idp_token_endpoint: endpoint } = context
  const { valid_jwt: assertion } = context
  if (scenario.startsWith("auth/client-credentials-")) return ClientCredentials.request
  if (assertion !== undefined) {
    return (options) => JwtBearer.request({ ...options, assertion: Redacted.make(assertion) })
  }
  if (id === undefined || idToken === undefined || issuer === undefined || endpoint === undefined) return undefined
  const identityProvider = { issuer, tokenEndpoint: new URL(endpoint), client: { id, issuer } }
  return (options) => IdentityAssertion.request({ ...options, identityProvider, idToken: Redacted.make(idToken) })
}

const authorization = (
  grant: Grant,
  context: AuthorizationContext,
  serverUrl: URL
): Effect.Effect<HeaderPatch.SetField, HeaderErrorReason> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch })
      const { issuer, scopes } = authorizationServer
      const { accessToken, tokenType } = yield* Effect.mapError(
        grant({ authorizationServer, client: clientOf(context, issuer), fetch, scopes }),
        GrantError.toReason
      )
      const value = `${tokenType} ${Redacted.value(accessToken)}`
      return yield* Effect.fromResult(HeaderPatch.setField("Authorization", value, "the conformance client"))
    })
  )

const clientOf = (context: AuthorizationContext, issuer: string) => {
  const { client_id: id = "", client_secret: secret, private_key_pem: key, signing_algorithm: algorithm } = context
  return {
    id,
    issuer,
    ...(secret === undefined ? {} : { secret: Redacted.make(secret) }),
    ...(key === undefined || algorithm === undefined ? {} : { key: { privateKey: Redacted.make(key), algorithm } })
  }
}
