/**
 * One token by a grant for which nobody signs in: for the client itself, for an assertion, or for the id token of a
 * person.
 *
 * The server names the authorization server, as it does for a sign-in; where the entry names one, no other is asked, and
 * since whoever wrote the entry chose it, it may be inside a private network. Otherwise the client of the entry belongs to
 * the first one that it was used at: a secret or an assertion is never sent to another (fault F76).
 *
 * A refusal says what to do about it.
 */
import { type HeaderErrorReason, SecretStoreFailed, SignInFailed } from "@letterhead/core/headers/HeaderError"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ClientRegistration from "../client/ClientRegistration.ts"
import type { OAuthClient } from "../client/OAuthClient.ts"
import * as AuthorizationServer from "../discovery/AuthorizationServer.ts"
import * as ClientCredentials from "../grant/ClientCredentials.ts"
import * as GrantError from "../grant/GrantError.ts"
import * as IdentityAssertion from "../grant/IdentityAssertion.ts"
import * as JwtBearer from "../grant/JwtBearer.ts"
import type { GrantOptions, TokenAnswer } from "../grant/TokenRequest.ts"
import * as ForeignText from "../http/ForeignText.ts"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import { TrustedOrigins } from "../http/UrlPolicy.ts"
import * as TokenBinding from "../proof/TokenBinding.ts"
import * as TokenRecord from "../token/TokenRecord.ts"
import type { FlowTarget, GrantRequest, GrantSettings, SignedIn } from "./OAuthFlow.ts"

/** As `grant` of `OAuthFlow`. */
export const request = Effect.fn("GrantFlow.request")(function* (
  target: FlowTarget,
  { challenge, missing, proofKey, scopes }: GrantRequest
): Effect.fn.Return<SignedIn, HeaderErrorReason, SecretStore> {
  const { serverUrl, settings } = target
  const { grant } = settings
  if (grant === undefined) {
    return yield* new SignInFailed({ description: "its entry names no grant", withoutSignIn: true })
  }
  return yield* Effect.gen(function* () {
    const fetch = yield* OAuthFetch.make({ serverUrl })
    const authorizationServer = yield* AuthorizationServer.discover({
      serverUrl,
      fetch,
      ...(grant.issuer === undefined ? {} : { issuer: grant.issuer }),
      ...(challenge === undefined ? {} : { challenge })
    })
    const { issuer, resource } = authorizationServer
    const client = yield* clientOf(target, grant, authorizationServer, fetch)
    const asked = TokenRecord.union(
      scopes === undefined ? authorizationServer.scopes.join(" ") : scopes.join(" "),
      challenge?.scope,
      missing
    )
    const { settle, ...bound } = yield* TokenBinding.make(authorizationServer, proofKey)
    const options = {
      authorizationServer,
      client,
      fetch,
      scopes: asked === undefined ? [] : asked.split(" "),
      ...bound
    }
    const tokens = yield* Effect.mapError(send(grant, options, serverUrl), (error) => reasonOf(error, grant))
    const granted = tokens.scope ?? asked
    const settled = yield* settle(tokens)
    return { ...settled, ...(granted === undefined ? {} : { scope: granted }), issuer, resource, clientId: client.id }
  }).pipe(
    Effect.scoped,
    trusting(grant.issuer === undefined ? [] : [grant.issuer]),
    Effect.mapError((reason) =>
      reason._tag === "SecretStoreFailed" ? withoutStore(reason) : GrantError.withoutSignIn(reason)
    )
  )
})

const clientOf = Effect.fnUntraced(function* (
  target: FlowTarget,
  { issuer: named, key }: GrantSettings,
  authorizationServer: AuthorizationServer.AuthorizationServer,
  fetch: FetchLike
): Effect.fn.Return<OAuthClient, HeaderErrorReason, SecretStore> {
  const { clientId: id, clientSecret: secret } = target.settings
  const { issuer } = authorizationServer
  if (id === undefined) return yield* new SignInFailed({ description: "a grant without a person needs a client id" })
  const proof = key === undefined ? {} : { key }
  if (named === undefined) {
    const client = yield* ClientRegistration.obtain({ target, authorizationServer, fetch })
    return { ...client, ...proof }
  }
  if (named !== issuer) {
    return yield* new SignInFailed({
      description:
        `the server names the authorization server ${ForeignText.shown(issuer)}, and its entry ` +
        `${ForeignText.shown(named)}; nothing was sent there. Correct "issuer" under "oauth" of its entry, or tell ` +
        `whoever runs the server`
    })
  }
  return { id, issuer, ...(secret === undefined ? {} : { secret }), ...proof }
})

/** Where nothing can be kept, as in a container, there is a way that needs no store. */
const withoutStore = ({ description, path }: SecretStoreFailed): SecretStoreFailed =>
  new SecretStoreFailed({
    path,
    description:
      `${description}; it would hold which authorization server the client belongs to, which "issuer" under ` +
      `"oauth" of the entry says as well`
  })

interface Options extends GrantOptions {
  readonly scopes: ReadonlyArray<string>
}

const send = (
  grant: GrantSettings,
  options: Options,
  serverUrl: URL
): Effect.Effect<TokenAnswer, GrantError.GrantError, Scope.Scope> => {
  if (grant.type === "client_credentials") return ClientCredentials.request(options)
  if (grant.type === "jwt_bearer") return JwtBearer.request({ ...options, assertion: grant.assertion })
  const { clientId: id, clientSecret: secret, issuer, tokenEndpoint } = grant.identityProvider
  return OAuthFetch.make({ serverUrl }).pipe(
    trusting([issuer, ...(tokenEndpoint === undefined ? [] : [tokenEndpoint])]),
    Effect.flatMap((fetch) =>
      IdentityAssertion.request({
        ...options,
        idToken: grant.idToken,
        identityProvider: {
          issuer,
          fetch,
          client: { id, issuer, ...(secret === undefined ? {} : { secret }) },
          ...(tokenEndpoint === undefined ? {} : { tokenEndpoint: new URL(tokenEndpoint) })
        }
      })
    )
  )
}

/** What whoever wrote the entry chose may have an address inside a private network. */
const trusting =
  (urls: ReadonlyArray<string>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(TrustedOrigins, (trusted) =>
      Effect.provideService(effect, TrustedOrigins, [...trusted, ...urls.map((url) => new URL(url).origin)])
    )

const reasonOf = (error: GrantError.GrantError, grant: GrantSettings): HeaderErrorReason =>
  error._tag === "GrantRefused"
    ? new SignInFailed({ description: `${error.message}; ${remedyOf(error, grant)}` })
    : GrantError.toReason(error)

const remedyOf = ({ by, code }: GrantError.GrantRefused, grant: GrantSettings): string => {
  if (by !== undefined)
    return `check "identityProvider" and "idToken" under "oauth" of its entry: an id token expires soon`
  switch (code) {
    case "invalid_client": {
      const proof = grant.key === undefined ? "clientSecret" : "privateKey"
      return `check "clientId" and "${proof}" under "oauth" of its entry`
    }
    case "unauthorized_client":
    case "unsupported_grant_type":
      return `have this grant (${grant.type}) allowed to the client there`
    case "invalid_scope":
      return `check "scopes" under "oauth" of its entry`
    case "invalid_grant":
      return grant.type === "jwt_bearer"
        ? `check "assertion" under "oauth" of its entry: that it lives, and is meant for this authorization server`
        : "have the authorization server take what is presented to it"
    default:
      return "ask whoever runs it"
  }
}
