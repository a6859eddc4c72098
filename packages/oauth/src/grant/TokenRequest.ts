/**
 * One request to the token endpoint, whatever the grant: the client proves itself, the resource is always named, and
 * what comes back is checked and put away before anybody sees it.
 */
import { TokenFailed } from "@letterhead/core/headers/HeaderError"
import { type DpopSession, type FetchLike, fetchToken, type OAuthClientProvider } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthorizationServer } from "../discovery/AuthorizationServer.ts"
import * as ClientAuthentication from "../client/ClientAuthentication.ts"
import * as GrantError from "./GrantError.ts"
import type { OAuthClient } from "../client/OAuthClient.ts"
import * as ForeignText from "../http/ForeignText.ts"

/** What every grant needs. */
export interface GrantOptions {
  readonly authorizationServer: AuthorizationServer
  readonly client: OAuthClient
  /** Of `OAuthFetch`. */
  readonly fetch: FetchLike
  /** Binds the token to a key (RFC 9449). Default: a bearer token. */
  readonly dpop?: DpopSession
}

/** What an authorization server gave. */
export interface TokenAnswer {
  readonly accessToken: Redacted.Redacted
  readonly tokenType: "Bearer" | "DPoP"
  readonly refreshToken?: Redacted.Redacted
  /** Seconds from now, where the server says. */
  readonly expiresIn?: number
  /** Granted scopes, where they may differ from those asked for. */
  readonly scope?: string
}

/** Of a grant; `undefined` is not sent. */
export type Parameters = Readonly<Record<string, string | Redacted.Redacted | undefined>>

/**
 * Asks with the parameters of a grant; those that are secret are masked in whatever the server says of them, and so are
 * `others` that it knows.
 */
export const send = Effect.fn("TokenRequest.send")(function* (
  { authorizationServer, client, dpop, fetch }: GrantOptions,
  parameters: Parameters,
  others: ReadonlyArray<Redacted.Redacted> = []
): Effect.fn.Return<TokenAnswer, GrantError.GrantError> {
  const secrets = Object.values(parameters).filter((value) => value !== undefined && typeof value !== "string")
  const provider = providerOf(client, authorizationServer, parameters, dpop, (assertion) => secrets.push(assertion))
  const tokens = yield* Effect.tryPromise({
    try: (signal) =>
      fetchToken(provider, authorizationServer.issuer, {
        metadata: authorizationServer.metadata,
        resource: authorizationServer.resource,
        fetchFn: (input, init) => fetch(input, { ...init, signal })
      }),
    catch: (error) => GrantError.fromUnknown(error, [...secrets, ...others, ...secretsOf(client)])
  })
  const { access_token: accessToken, expires_in: expiresIn, refresh_token: refreshToken, scope } = tokens
  const known = [accessToken, refreshToken ?? "", ...[...secrets, ...others, ...secretsOf(client)].map(Redacted.value)]
  const tokenType = TOKEN_TYPES.get(tokens.token_type.toLowerCase())
  if (tokenType === undefined || !TOKEN.test(accessToken)) {
    return yield* new TokenFailed({ description: "it gave a token of a kind that cannot be sent" })
  }
  if (tokenType === "DPoP" && dpop === undefined) {
    return yield* new TokenFailed({ description: "it gave a token that is bound to a key, and no key was shown to it" })
  }
  return {
    accessToken: Redacted.make(accessToken),
    tokenType,
    ...(refreshToken === undefined || refreshToken === "" ? {} : { refreshToken: Redacted.make(refreshToken) }),
    ...(expiresIn === undefined || !Number.isFinite(expiresIn) || expiresIn < 0 ? {} : { expiresIn }),
    // Scopes are shown, and asked for again: what repeats a secret is none.
    ...(scope === undefined || ForeignText.holds(scope, known) ? {} : { scope })
  }
})

/** The scopes as a parameter; none is left out. */
export const scopeOf = (scopes: ReadonlyArray<string>): string | undefined =>
  scopes.length === 0 ? undefined : [...new Set(scopes)].join(" ")

/** The secrets of a client, to be masked. */
export const secretsOf = ({ id, key, secret }: OAuthClient): ReadonlyArray<Redacted.Redacted> =>
  [secret, secret && ClientAuthentication.basicOf(id, secret), key?.privateKey].filter((one) => one !== undefined)

/** What a header can carry (design rule 3), less the blanks that no token has. */
const TOKEN = /^[\x21-\x7e]{1,8000}$/

const TOKEN_TYPES: ReadonlyMap<string, "Bearer" | "DPoP"> = new Map([
  ["bearer", "Bearer"],
  ["dpop", "DPoP"]
])

/** The SDK asks a provider for the parts of a request; this one has those of one request, and keeps nothing. */
const providerOf = (
  client: OAuthClient,
  { metadata }: AuthorizationServer,
  parameters: Parameters,
  dpop: DpopSession | undefined,
  onAssertion: (assertion: Redacted.Redacted) => void
): OAuthClientProvider => ({
  redirectUrl: undefined,
  clientMetadata: { redirect_uris: [] },
  clientInformation: () => ({ client_id: client.id, issuer: client.issuer }),
  tokens: () => undefined,
  saveTokens: () => {},
  redirectToAuthorization: () => {},
  saveCodeVerifier: () => {},
  codeVerifier: () => "",
  dpop: () => dpop,
  addClientAuthentication: async (headers, search, ...where) => {
    await ClientAuthentication.make(client, metadata)(headers, search, ...where)
    const assertion = search.get("client_assertion")
    if (assertion !== null) onAssertion(Redacted.make(assertion))
  },
  prepareTokenRequest: () => {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) search.set(name, typeof value === "string" ? value : Redacted.value(value))
    }
    return search
  }
})
