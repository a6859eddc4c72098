/**
 * The authorization code grant, in two steps: the address that a person is sent to, and the exchange of what they come
 * back with.
 *
 * The request has PKCE with S256, the state, the scopes and the resource; between the steps stands a {@link Pending},
 * which is used once: a second exchange, an answer with another state, or one of another issuer than the request went to
 * (RFC 9207) is refused before anything is sent.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import {
  computeScopeUnion,
  startAuthorization,
  validateAuthorizationResponseIssuer
} from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { createHash, timingSafeEqual } from "node:crypto"
import * as AuthorizationServer from "../discovery/AuthorizationServer.ts"
import * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface RequestOptions extends TokenRequest.GrantOptions {
  readonly redirectUri: string
  /** At least 128 random bits, for this request alone. */
  readonly state: Redacted.Redacted
  readonly scopes: ReadonlyArray<string>
}

/** A request that a person is on the way with. */
export interface Pending {
  readonly authorizationUrl: URL
  /** What was asked for, as the request writes it. */
  readonly scope: string | undefined
  /** Exchanges the parameters that came back to the redirect URI. Once; they hold a code. */
  readonly exchange: (parameters: URLSearchParams) => Effect.Effect<TokenRequest.TokenAnswer, GrantError.GrantError>
}

export const request = Effect.fn("AuthorizationCode.request")(function* (
  options: RequestOptions
): Effect.fn.Return<Pending, GrantError.GrantError> {
  const { authorizationServer, client, redirectUri, state } = options
  yield* AuthorizationServer.requirePkce(authorizationServer)
  const { metadata } = authorizationServer
  const scope = scopeOf(options)
  const { authorizationUrl, codeVerifier } = yield* Effect.tryPromise({
    try: () =>
      startAuthorization(authorizationServer.issuer, {
        metadata,
        clientInformation: { client_id: client.id },
        redirectUrl: redirectUri,
        state: Redacted.value(state),
        resource: authorizationServer.resource,
        ...(scope === undefined ? {} : { scope })
      }),
    catch: () => new SignInFailed({ description: "the authorization server has no authorization code grant" })
  })
  // The code, too, is of no use without the key (RFC 9449, section 10).
  if (options.dpop !== undefined) authorizationUrl.searchParams.set("dpop_jkt", options.dpop.thumbprint)
  const verifier = Redacted.make(codeVerifier)
  const isUsed = yield* Ref.make(false)
  return {
    authorizationUrl,
    scope,
    exchange: Effect.fnUntraced(function* (parameters: URLSearchParams) {
      if (yield* Ref.getAndSet(isUsed, true)) return yield* refused("the answer was used before")
      const code = yield* codeOf(parameters, options)
      return yield* TokenRequest.send(
        options,
        { grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: redirectUri },
        [state]
      )
    })
  }
})

/** A refresh token is asked for where the server has a scope for it, which only goes with other scopes. */
const scopeOf = ({ authorizationServer: { metadata }, scopes }: RequestOptions): string | undefined =>
  computeScopeUnion(
    ...scopes,
    scopes.length > 0 && metadata.scopes_supported?.includes("offline_access") === true ? "offline_access" : undefined
  )

const codeOf = (parameters: URLSearchParams, { authorizationServer: { metadata }, state }: RequestOptions) =>
  Effect.gen(function* () {
    if (!isSame(parameters.get("state") ?? "", Redacted.value(state))) {
      return yield* refused("the answer does not belong to this sign-in")
    }
    yield* Effect.try({
      try: () =>
        validateAuthorizationResponseIssuer({
          iss: parameters.get("iss") ?? undefined,
          expectedIssuer: metadata.issuer,
          issParameterSupported: metadata.authorization_response_iss_parameter_supported === true
        }),
      catch: (error) => GrantError.fromUnknown(error, [])
    })
    const code = parameters.get("code")
    return code === null || code === "" ? yield* refused("the answer has no code") : Redacted.make(code)
  })

const refused = (description: string): SignInFailed =>
  new SignInFailed({ description: `${description}; sign in again` })

/** In constant time, whatever their lengths. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest()
