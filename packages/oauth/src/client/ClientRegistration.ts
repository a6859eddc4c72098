/**
 * How this program becomes a client of an authorization server: by the id that the entry gives, else by the URL of a
 * client id metadata document where the server takes such, else by registering itself (RFC 7591).
 *
 * What a registration gave is kept for the principal, the entry and the issuer, and used at no other issuer (fault F76).
 * An id of the entry belongs to the issuer that it was first used at: where the server names another one later, that is
 * an error, and nothing of the client is sent there.
 *
 * A registration is used again for the redirect URI that it was made for. Servers that compare redirect URIs as they are
 * written, ports included, would otherwise show an error in the browser that no program sees. Earlier registrations are
 * kept for the tokens that were issued to them.
 */
import { type HeaderErrorReason, SignInFailed } from "@letterhead/core/headers/HeaderError"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { type FetchLike, type OAuthClientMetadata, registerClient } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AuthorizationServer from "../discovery/AuthorizationServer.ts"
import * as ForeignText from "../http/ForeignText.ts"
import { fromUnknown, toReason } from "../grant/GrantError.ts"
import type { OAuthClient } from "./OAuthClient.ts"
import type { FlowTarget } from "../flow/OAuthFlow.ts"
import * as RegisteredClients from "./RegisteredClients.ts"

export interface RegistrationOptions {
  readonly target: FlowTarget
  readonly authorizationServer: AuthorizationServer.AuthorizationServer
  /** Of `OAuthFetch`. */
  readonly fetch: FetchLike
  /** Where the answer goes. Absent for a device, which has none. */
  readonly redirectUri?: string
}

/** The client to sign in with; registers one where there is none. */
export const obtain = Effect.fn("ClientRegistration.obtain")(function* (
  options: RegistrationOptions
): Effect.fn.Return<OAuthClient, HeaderErrorReason, SecretStore> {
  const { authorizationServer, redirectUri, target } = options
  const { issuer, metadata } = authorizationServer
  const { clientId, clientMetadataUrl } = target.settings
  if (clientId !== undefined) return yield* preRegistered(clientId, target, issuer)
  if (clientMetadataUrl !== undefined && metadata.client_id_metadata_document_supported === true) {
    return documented(clientMetadataUrl, issuer)
  }
  if (redirectUri !== undefined) yield* AuthorizationServer.requirePkce(authorizationServer)
  const store = yield* SecretStore
  const now = yield* Clock.currentTimeMillis
  return yield* store
    .modify(keyOf(target, issuer), (current) =>
      Effect.gen(function* () {
        const known = (yield* RegisteredClients.decode(current)).filter((one) =>
          RegisteredClients.isUsable(one, issuer, now)
        )
        const same = known.find((one) => one.redirectUri === redirectUri)
        if (same !== undefined) return [same, current] as const
        const made = yield* register(options)
        return [made, Option.some(RegisteredClients.encode([made, ...known]))] as const
      })
    )
    .pipe(
      Effect.map(RegisteredClients.toClient),
      Effect.mapError((error) => (error._tag === "HeaderError" ? error.reason : error))
    )
})

/** The client that tokens were issued to, without asking anybody; none where it is not known any more. */
export const find = Effect.fn("ClientRegistration.find")(function* (
  target: FlowTarget,
  issuer: string,
  clientId: string
): Effect.fn.Return<Option.Option<OAuthClient>, HeaderErrorReason, SecretStore> {
  const { settings } = target
  if (settings.clientId !== undefined) {
    if (settings.clientId !== clientId) return Option.none()
    return Option.some(yield* preRegistered(clientId, target, issuer))
  }
  if (settings.clientMetadataUrl === clientId) return Option.some(documented(clientId, issuer))
  const store = yield* SecretStore
  const now = yield* Clock.currentTimeMillis
  const value = yield* Effect.mapError(store.get(keyOf(target, issuer)), ({ reason }) => reason)
  const known = yield* RegisteredClients.decode(value)
  const found = known.find((one) => one.id === clientId && RegisteredClients.isUsable(one, issuer, now))
  return Option.map(Option.fromUndefinedOr(found), RegisteredClients.toClient)
})

/** Forgets the registrations at an issuer, and which issuer an id of the entry belongs to. */
export const forget = Effect.fn("ClientRegistration.forget")(function* (
  target: Pick<FlowTarget, "principal" | "server" | "serverUrl">,
  issuer: string
): Effect.fn.Return<void, HeaderErrorReason, SecretStore> {
  const store = yield* SecretStore
  for (const key of [keyOf(target, issuer), keyOf(target)]) {
    yield* Effect.mapError(store.remove(key), ({ reason }) => reason)
  }
})

/** Where clients are kept; without an issuer, where it is kept whose the client of the entry is. */
export const keyOf = (
  { principal, server, serverUrl }: Pick<FlowTarget, "principal" | "server" | "serverUrl">,
  issuer?: string
): SecretKey => ({
  principal,
  origin: serverUrl.origin,
  server,
  field: issuer === undefined ? "oauth client" : `oauth client ${issuer}`
})

const documented = (url: string, issuer: string): OAuthClient => ({ id: url, issuer, method: "none" })

/** The client of the entry, which from its first use on belongs to one issuer. */
const preRegistered = Effect.fnUntraced(function* (
  id: string,
  target: FlowTarget,
  issuer: string
): Effect.fn.Return<OAuthClient, HeaderErrorReason, SecretStore> {
  const store = yield* SecretStore
  const { clientSecret } = target.settings
  const client: OAuthClient = { id, issuer, ...(clientSecret === undefined ? {} : { secret: clientSecret }) }
  return yield* store
    .modify(keyOf(target), (current) =>
      Effect.gen(function* () {
        const [first] = yield* RegisteredClients.decode(current)
        if (first?.id !== id) return [client, Option.some(RegisteredClients.encode([{ id, issuer }]))] as const
        if (first.issuer === issuer) return [client, current] as const
        return yield* new SignInFailed({
          description:
            `the client ${ForeignText.shown(id)} of the entry belongs to ${ForeignText.shown(first.issuer)}, and the ` +
            `server now names ${ForeignText.shown(issuer)}; nothing was sent there. If that is right, forget the old ` +
            `one with: letterhead logout ${target.server}`
        })
      })
    )
    .pipe(Effect.mapError((error) => (error._tag === "HeaderError" ? error.reason : error)))
})

const register = ({ authorizationServer, fetch, redirectUri }: RegistrationOptions) => {
  const { issuer, metadata } = authorizationServer
  if (metadata.registration_endpoint === undefined) {
    return Effect.fail(
      new SignInFailed({
        description:
          `the authorization server ${ForeignText.shown(issuer)} registers no clients by itself; register one there, ` +
          `and give its id as "oauth": { "clientId": … }`
      })
    )
  }
  return Effect.tryPromise({
    try: (signal) =>
      registerClient(issuer, {
        metadata,
        clientMetadata: metadataOf(authorizationServer, redirectUri),
        fetchFn: (input, init) => fetch(input, { ...init, signal })
      }),
    catch: (error) => {
      const status = error instanceof Error && "status" in error ? error.status : undefined
      return typeof status === "number"
        ? new SignInFailed({
            description:
              `the authorization server ${ForeignText.shown(issuer)} registers no client (it answered ${status}); ` +
              `register one there, and give its id as "oauth": { "clientId": … }`
          })
        : toReason(fromUnknown(error, []))
    }
  }).pipe(
    Effect.map((given): RegisteredClients.RegisteredClient => {
      const { client_id: id, client_secret: secret, client_secret_expires_at: expires } = given
      return {
        id,
        issuer,
        ...(secret === undefined || secret === "" ? {} : { secret: Redacted.make(secret) }),
        ...(expires === undefined || expires === 0 ? {} : { secretExpiresAt: expires * 1_000 }),
        ...(given.token_endpoint_auth_method === undefined ? {} : { method: given.token_endpoint_auth_method }),
        ...(redirectUri === undefined ? {} : { redirectUri })
      }
    })
  )
}

/** A program on a person's machine, which keeps no secret that another one could not read there. */
const metadataOf = (
  { deviceAuthorizationEndpoint, metadata }: AuthorizationServer.AuthorizationServer,
  redirectUri: string | undefined
): OAuthClientMetadata => {
  const grants = [
    ...(redirectUri === undefined ? [] : ["authorization_code"]),
    ...(redirectUri === undefined && deviceAuthorizationEndpoint !== undefined ? [DEVICE_CODE] : []),
    "refresh_token"
  ]
  const supported = metadata.grant_types_supported
  const method = METHODS.find((one) => (metadata.token_endpoint_auth_methods_supported ?? [BASIC]).includes(one))
  return {
    client_name: "Letterhead",
    redirect_uris: redirectUri === undefined ? [] : [redirectUri],
    grant_types: grants.filter((grant) => grant !== "refresh_token" || (supported?.includes(grant) ?? true)),
    response_types: redirectUri === undefined ? [] : ["code"],
    application_type: "native",
    ...(method === undefined ? {} : { token_endpoint_auth_method: method })
  }
}

const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

/** What a server has that does not say (RFC 8414, section 2). */
const BASIC = "client_secret_basic"

const METHODS = ["none", BASIC, "client_secret_post"]
