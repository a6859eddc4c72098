/**
 * Signing in by the authorization code flow, and renewing what came of it.
 *
 * From what the server says of itself to tokens: who gives them out, which client this program is there, where the person
 * goes, and the exchange of what comes back. A refresh token goes to the authorization server and with the client that
 * it was issued by and to, for the resource it was issued for: where the MCP server names another by now, the sign-in is
 * over, and nothing is sent (fault F76).
 */
import { type HeaderErrorReason, SignInFailed } from "@letterhead/core/headers/HeaderError"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { DpopSession, FetchLike } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AuthorizationCode from "../grant/AuthorizationCode.ts"
import * as AuthorizationServer from "../discovery/AuthorizationServer.ts"
import * as ClientRegistration from "../client/ClientRegistration.ts"
import * as DeviceAuthorization from "../grant/DeviceAuthorization.ts"
import * as GrantError from "../grant/GrantError.ts"
import type { Challenge, FlowTarget, SignedIn } from "./OAuthFlow.ts"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import * as ProofSession from "../proof/ProofSession.ts"
import * as TokenBinding from "../proof/TokenBinding.ts"
import * as RefreshGrant from "../grant/RefreshGrant.ts"
import { SignIn } from "../signin/SignIn.ts"
import * as TokenRecord from "../token/TokenRecord.ts"
import type { TokenAnswer } from "../grant/TokenRequest.ts"
import { SignInOver } from "../token/Tokens.ts"

/** As `signIn` of `OAuthFlow`. */
export const signIn = (
  target: FlowTarget,
  { challenge, scope }: { readonly challenge: Challenge | undefined; readonly scope: string | undefined }
): Effect.Effect<SignedIn, HeaderErrorReason, SignIn | SecretStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { serverUrl } = target
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const authorizationServer = yield* AuthorizationServer.discover({
        serverUrl,
        fetch,
        ...(challenge === undefined ? {} : { challenge })
      })
      const asked = TokenRecord.union(authorizationServer.scopes.join(" "), scope)
      const scopes = asked === undefined ? [] : asked.split(" ")
      const { settle, ...bound } = yield* TokenBinding.make(authorizationServer)
      const attempt = { target, authorizationServer, fetch, scopes, ...bound }
      const { clientId, tokens } = yield* authorizationServer.deviceAuthorizationEndpoint === undefined ||
      (yield* SignIn).device === undefined
        ? inBrowser(attempt)
        : onDevice({ ...attempt, endpoint: authorizationServer.deviceAuthorizationEndpoint })
      const { issuer, resource } = authorizationServer
      const granted = tokens.scope ?? asked
      return {
        ...(yield* settle(tokens)),
        ...(granted === undefined ? {} : { scope: granted }),
        issuer,
        resource,
        clientId
      }
    })
  )

interface Attempt {
  readonly target: FlowTarget
  readonly authorizationServer: AuthorizationServer.AuthorizationServer
  readonly fetch: FetchLike
  readonly scopes: ReadonlyArray<string>
  readonly dpop?: DpopSession
}

/** The client that the tokens were issued to, and the tokens. */
interface Outcome {
  readonly clientId: string
  readonly tokens: TokenAnswer
}

const inBrowser = Effect.fnUntraced(function* ({
  target,
  ...attempt
}: Attempt): Effect.fn.Return<Outcome, HeaderErrorReason, SignIn | SecretStore> {
  const { server, settings } = target
  const { authorize } = yield* SignIn
  const store = yield* SecretStore
  const { issuer, metadata } = attempt.authorizationServer
  const promised = metadata.authorization_response_iss_parameter_supported === true
  let sent: { readonly clientId: string; readonly pending: AuthorizationCode.Pending } | undefined
  const answer = yield* authorize({
    server,
    ...(settings.callbackPort === undefined || settings.callbackPort === 0
      ? {}
      : { callbackPort: settings.callbackPort }),
    issuer: { issuer, promised },
    authorizationUrl: Effect.fnUntraced(
      function* (redirectUri, state) {
        const client = yield* ClientRegistration.obtain({ target, ...attempt, redirectUri })
        const grant = { ...attempt, client, redirectUri, state: Redacted.make(state) }
        const pending = yield* Effect.mapError(AuthorizationCode.request(grant), GrantError.toReason)
        sent = { clientId: client.id, pending }
        return pending.authorizationUrl
      },
      Effect.provideService(SecretStore, store)
    )
  })
  if (sent === undefined) return yield* new SignInFailed({ description: "nobody was sent to authorize" })
  const tokens = yield* Effect.mapError(sent.pending.exchange(answer.parameters), GrantError.toReason)
  return { clientId: sent.clientId, tokens }
})

const onDevice = Effect.fnUntraced(function* ({
  endpoint,
  target,
  ...attempt
}: Attempt & { readonly endpoint: URL }): Effect.fn.Return<Outcome, HeaderErrorReason, SignIn | SecretStore> {
  const { device } = yield* SignIn
  if (device === undefined) return yield* new SignInFailed({ description: "no code can be shown to a person here" })
  const client = yield* ClientRegistration.obtain({ target, ...attempt })
  const { poll, ...shown } = yield* Effect.mapError(
    DeviceAuthorization.request({ ...attempt, client, endpoint }),
    GrantError.toReason
  )
  const tokens = yield* device({ server: target.server, ...shown, poll: Effect.mapError(poll, GrantError.toReason) })
  return { clientId: client.id, tokens }
})

/** As `refresh` of `OAuthFlow`. */
export const refresh = (
  target: FlowTarget,
  record: TokenRecord.TokenRecord,
  challenge: Challenge | undefined
): Effect.Effect<TokenAnswer, HeaderErrorReason | SignInOver, SecretStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { serverUrl } = target
      const { accessToken, refreshToken } = record
      if (refreshToken === undefined) return yield* new SignInOver({ description: "it came without a refresh token" })
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const known = record.resourceMetadata === undefined ? undefined : new URL(record.resourceMetadata)
      const resourceMetadata = challenge?.resourceMetadata ?? known
      const authorizationServer = yield* AuthorizationServer.discover({
        serverUrl,
        fetch,
        ...(resourceMetadata === undefined ? {} : { challenge: { resourceMetadata } })
      })
      const { issuer, resource } = authorizationServer
      if (issuer !== record.issuer || resource !== record.resource) {
        const what = issuer === record.issuer ? "resource" : "authorization server"
        return yield* new SignInOver({ description: `the server names another ${what} by now` })
      }
      const client = Option.getOrUndefined(yield* ClientRegistration.find(target, issuer, record.clientId))
      if (client === undefined) {
        return yield* new SignInOver({ description: "it belongs to another client than the one of now" })
      }
      const dpop =
        record.proofKey === undefined
          ? {}
          : { dpop: yield* Effect.mapError(ProofSession.restore(record.proofKey), asSignInOver) }
      const answer = yield* Effect.mapError(
        RefreshGrant.refresh({ authorizationServer, client, fetch, refreshToken, accessToken, ...dpop }),
        (error) =>
          error._tag === "GrantRefused" && FINAL.has(error.code) ? asSignInOver(error) : GrantError.toReason(error)
      )
      if (answer.tokenType === record.tokenType) return answer
      return yield* new SignInOver({
        description: "the authorization server does not bind its token to the key any more"
      })
    })
  )

const asSignInOver = ({ message }: Error): SignInOver => new SignInOver({ description: message })

/** Refusals that no further attempt can change: of the refresh token, or of the client that it was issued to. */
const FINAL: ReadonlySet<string> = new Set(["invalid_grant", "invalid_client", "unauthorized_client"])
