/**
 * Taking tokens back at the authorization server (RFC 7009), so that they are of no use to whoever has a copy.
 *
 * The refresh token goes first: with it most servers end all that came of it. A server that does not know a token says
 * the same as one that ended it.
 */
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AuthorizationServer from "../discovery/AuthorizationServer.ts"
import * as ClientAuthentication from "../client/ClientAuthentication.ts"
import * as ClientRegistration from "../client/ClientRegistration.ts"
import * as ForeignText from "../http/ForeignText.ts"
import type { FlowTarget } from "../flow/OAuthFlow.ts"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import type { TokenRecord } from "../token/TokenRecord.ts"

/** Revokes what a record holds; `false` where its authorization server cannot do that. */
export const revoke = Effect.fn("Revocation.revoke")(function* (
  target: FlowTarget,
  record: TokenRecord
): Effect.fn.Return<boolean, HeaderErrorReason, SecretStore> {
  const { serverUrl } = target
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const { resourceMetadata } = record
      const { issuer, metadata, revocationEndpoint } = yield* AuthorizationServer.discover({
        serverUrl,
        fetch,
        ...(resourceMetadata === undefined ? {} : { challenge: { resourceMetadata: new URL(resourceMetadata) } })
      })
      if (issuer !== record.issuer) {
        return yield* new SignInFailed({
          description: "the server names another authorization server by now, which is not shown these tokens"
        })
      }
      if (revocationEndpoint === undefined) return false
      const client = Option.getOrUndefined(yield* ClientRegistration.find(target, issuer, record.clientId))
      if (client === undefined) {
        return yield* new SignInFailed({
          description: "the client that the tokens were issued to is not known any more"
        })
      }
      const { accessToken, refreshToken } = record
      const tokens = [
        ...(refreshToken === undefined ? [] : [["refresh_token", refreshToken] as const]),
        ["access_token", accessToken] as const
      ]
      const authenticate = ClientAuthentication.make(client, metadata)
      for (const [hint, token] of tokens) {
        const response = yield* Effect.tryPromise({
          try: async (signal) => {
            const headers = new Headers({ accept: "application/json" })
            const body = new URLSearchParams({ token: Redacted.value(token), token_type_hint: hint })
            await authenticate(headers, body, revocationEndpoint, metadata)
            return fetch(revocationEndpoint, { method: "POST", headers, body, signal })
          },
          catch: (error) =>
            error instanceof SignInFailed || error instanceof TokenFailed
              ? error
              : new TokenFailed({ description: `${ForeignText.shown(issuer)} cannot be asked` })
        })
        // One that revokes refresh tokens alone says so of the other kind (RFC 7009, section 2.2.1).
        if (!response.ok && !(hint === "access_token" && refreshToken !== undefined)) {
          return yield* new SignInFailed({
            description: `${ForeignText.shown(issuer)} does not revoke the token (it answered ${response.status})`
          })
        }
      }
      return true
    })
  )
})
