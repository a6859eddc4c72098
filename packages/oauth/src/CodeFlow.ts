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
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AuthorizationCode from "./AuthorizationCode.ts"
import * as AuthorizationServer from "./AuthorizationServer.ts"
import * as ClientRegistration from "./ClientRegistration.ts"
import * as GrantError from "./GrantError.ts"
import type { Challenge, FlowTarget, SignedIn } from "./OAuthFlow.ts"
import * as OAuthFetch from "./OAuthFetch.ts"
import * as RefreshGrant from "./RefreshGrant.ts"
import { SignIn } from "./SignIn.ts"
import * as TokenRecord from "./TokenRecord.ts"
import type { TokenAnswer } from "./TokenRequest.ts"
import { SignInOver } from "./Tokens.ts"

/** As `signIn` of `OAuthFlow`. */
export const signIn = (
  target: FlowTarget,
  { challenge, scope }: { readonly challenge: Challenge | undefined; readonly scope: string | undefined }
): Effect.Effect<SignedIn, HeaderErrorReason, SignIn | SecretStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { server, serverUrl, settings } = target
      const { authorize } = yield* SignIn
      const store = yield* SecretStore
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const authorizationServer = yield* AuthorizationServer.discover({
        serverUrl,
        fetch,
        ...(challenge === undefined ? {} : { challenge })
      })
      const { issuer, metadata, resource, scopes } = authorizationServer
      const promised = metadata.authorization_response_iss_parameter_supported === true
      let pending: AuthorizationCode.Pending | undefined
      let clientId = ""
      const answer = yield* authorize({
        server,
        ...(settings.callbackPort === undefined || settings.callbackPort === 0
          ? {}
          : { callbackPort: settings.callbackPort }),
        issuer: { issuer, promised },
        authorizationUrl: Effect.fnUntraced(
          function* (redirectUri, state) {
            const client = yield* ClientRegistration.obtain({ target, authorizationServer, fetch, redirectUri })
            clientId = client.id
            pending = yield* AuthorizationCode.request({
              authorizationServer,
              client,
              fetch,
              redirectUri,
              state: Redacted.make(state),
              scopes: (TokenRecord.union(scopes.join(" "), scope) ?? "").split(" ").filter((one) => one !== "")
            }).pipe(Effect.mapError(GrantError.toReason))
            return pending.authorizationUrl
          },
          Effect.provideService(SecretStore, store)
        )
      })
      if (pending === undefined) return yield* new SignInFailed({ description: "nobody was sent to authorize" })
      const tokens = yield* Effect.mapError(pending.exchange(answer.parameters), GrantError.toReason)
      const granted = tokens.scope ?? pending.scope
      return { ...tokens, ...(granted === undefined ? {} : { scope: granted }), issuer, resource, clientId }
    })
  )

/** As `refresh` of `OAuthFlow`. */
export const refresh = (
  target: FlowTarget,
  record: TokenRecord.TokenRecord
): Effect.Effect<TokenAnswer, HeaderErrorReason | SignInOver, SecretStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { serverUrl } = target
      const { refreshToken } = record
      if (refreshToken === undefined) return yield* new SignInOver({ description: "it came without a refresh token" })
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch })
      const { issuer, resource } = authorizationServer
      if (issuer !== record.issuer || resource !== record.resource) {
        const what = issuer === record.issuer ? "resource" : "authorization server"
        return yield* new SignInOver({ description: `the server names another ${what} by now` })
      }
      const client = Option.getOrUndefined(yield* ClientRegistration.find(target, issuer, record.clientId))
      if (client === undefined) {
        return yield* new SignInOver({ description: "it belongs to another client than the one of now" })
      }
      return yield* Effect.mapError(
        RefreshGrant.refresh({ authorizationServer, client, fetch, refreshToken }),
        (error) =>
          error._tag === "GrantRefused" && FINAL.has(error.code)
            ? new SignInOver({ description: error.message })
            : GrantError.toReason(error)
      )
    })
  )

/** Refusals that no further attempt can change: of the refresh token, or of the client that it was issued to. */
const FINAL: ReadonlySet<string> = new Set(["invalid_grant", "invalid_client", "unauthorized_client"])
