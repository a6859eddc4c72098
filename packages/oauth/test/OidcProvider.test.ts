/** The grants against an authorization server that is not ours. */
import { it } from "@effect/vitest"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { describe, expect } from "vitest"
import * as AuthorizationCode from "../src/grant/AuthorizationCode.ts"
import * as AuthorizationServer from "../src/discovery/AuthorizationServer.ts"
import * as ClientCredentials from "../src/grant/ClientCredentials.ts"
import * as ClientRegistration from "../src/client/ClientRegistration.ts"
import * as DeviceAuthorization from "../src/grant/DeviceAuthorization.ts"
import * as OAuthFetch from "../src/http/OAuthFetch.ts"
import * as ProofKey from "../src/proof/ProofKey.ts"
import * as ProofSession from "../src/proof/ProofSession.ts"
import * as RefreshGrant from "../src/grant/RefreshGrant.ts"
import * as LoopbackServer from "./support/LoopbackServer.ts"
import * as OidcProvider from "./support/OidcProvider.ts"

const REDIRECT = "http://127.0.0.1:5000/callback"

/** A loopback MCP server whose tokens an oidc-provider gives out, and what a client finds of it. */
const found = (clients: (resource: string) => OidcProvider.ProviderOptions["clients"] = () => []) =>
  Effect.gen(function* () {
    let issuer = ""
    const server = yield* LoopbackServer.make((_, response, origin) =>
      LoopbackServer.json(response, {
        resource: `${origin}/mcp`,
        authorization_servers: [issuer],
        scopes_supported: ["read"]
      })
    )
    const serverUrl = new URL(`${server.origin}/mcp`)
    const provider = yield* OidcProvider.make({ resource: serverUrl.href, clients: clients(serverUrl.href) })
    issuer = provider.issuer
    const fetch = yield* OAuthFetch.make({ serverUrl })
    const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch })
    const target = { server: "linear", serverUrl, principal: "local", settings: {} }
    return { authorizationServer, fetch, target }
  })

describe("oidc-provider", () => {
  it.live(
    "registers, has a person consent, gives tokens for the resource and renews them, each refresh token once",
    () =>
      Effect.gen(function* () {
        const { authorizationServer, fetch, target } = yield* found()
        expect(authorizationServer.scopes).toEqual(["read"])
        const client = yield* ClientRegistration.obtain({ authorizationServer, fetch, target, redirectUri: REDIRECT })
        const options = { authorizationServer, client, fetch }
        const pending = yield* AuthorizationCode.request({
          ...options,
          redirectUri: REDIRECT,
          state: Redacted.make("a state of many bits"),
          scopes: authorizationServer.scopes
        })
        const parameters = yield* Effect.promise(() => OidcProvider.consent(pending.authorizationUrl, REDIRECT))
        const first = yield* pending.exchange(parameters)
        expect(first.tokenType).toBe("Bearer")
        expect(first.expiresIn).toBeGreaterThan(0)
        const refreshToken = first.refreshToken ?? Redacted.make("")
        const second = yield* RefreshGrant.refresh({ ...options, refreshToken })
        expect(Redacted.value(second.accessToken)).not.toBe(Redacted.value(first.accessToken))
        expect(Redacted.value(second.refreshToken ?? refreshToken)).not.toBe(Redacted.value(refreshToken))
        const error = yield* Effect.flip(RefreshGrant.refresh({ ...options, refreshToken }))
        expect(error._tag === "GrantRefused" && error.code).toBe("invalid_grant")
      }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("binds a token to a key, with a nonce of its own, and renews it for that key alone", () =>
    Effect.gen(function* () {
      const { fetch, target } = yield* found()
      const { serverUrl } = target
      const challenge = { binding: { isRequired: true } }
      const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch, challenge })
      expect(authorizationServer.binding).toEqual({ isRequired: true, algorithm: "ES256" })
      const client = yield* ClientRegistration.obtain({ authorizationServer, fetch, target, redirectUri: REDIRECT })
      const { key, session: dpop } = yield* ProofSession.make("ES256")
      const options = { authorizationServer, client, fetch, dpop }
      const pending = yield* AuthorizationCode.request({
        ...options,
        redirectUri: REDIRECT,
        state: Redacted.make("a state of many bits"),
        scopes: authorizationServer.scopes
      })
      expect(pending.authorizationUrl.searchParams.get("dpop_jkt")).toBe(ProofKey.thumbprint(key))
      const parameters = yield* Effect.promise(() => OidcProvider.consent(pending.authorizationUrl, REDIRECT))
      const first = yield* pending.exchange(parameters)
      expect(first.tokenType).toBe("DPoP")
      const refreshToken = first.refreshToken ?? Redacted.make("")
      const other = yield* ProofSession.make("ES256")
      const error = yield* Effect.flip(RefreshGrant.refresh({ ...options, dpop: other.session, refreshToken }))
      expect(error._tag === "GrantRefused" && error.code).toMatch(/^invalid_(?:grant|dpop_proof)$/)
      const again = yield* ProofSession.restore(key)
      const second = yield* RefreshGrant.refresh({ ...options, dpop: again, refreshToken })
      expect(second.tokenType).toBe("DPoP")
      expect(Redacted.value(second.accessToken)).not.toBe(Redacted.value(first.accessToken))
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("gives a client tokens for itself, by its secret and by its key", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const machine = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope: "read" }
      const { authorizationServer, fetch } = yield* found(() => [
        { ...machine, client_id: "with secret", client_secret: "s3cret:+/%=&" },
        {
          ...machine,
          client_id: "with-key",
          token_endpoint_auth_method: "private_key_jwt",
          jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kty: "EC" }] }
        }
      ])
      const { issuer } = authorizationServer
      const pem = privateKey.export({ type: "pkcs8", format: "pem" })
      const clients = [
        { id: "with secret", issuer, secret: Redacted.make("s3cret:+/%=&") },
        { id: "with-key", issuer, key: { privateKey: Redacted.make(pem), algorithm: "ES256" } }
      ]
      for (const client of clients) {
        const answer = yield* ClientCredentials.request({ authorizationServer, client, fetch, scopes: ["read"] })
        expect(Redacted.value(answer.accessToken)).not.toBe("")
        expect(answer.scope).toBe("read")
      }
      const wrong = { id: "with secret", issuer, secret: Redacted.make("another") }
      const error = yield* Effect.flip(
        ClientCredentials.request({ authorizationServer, client: wrong, fetch, scopes: [] })
      )
      expect(error._tag === "GrantRefused" && error.code).toBe("invalid_client")
    })
  )

  it.live("registers a client for a device, and waits for the person", () =>
    Effect.gen(function* () {
      const { authorizationServer, fetch, target } = yield* found()
      const client = yield* ClientRegistration.obtain({ authorizationServer, fetch, target })
      const endpoint = authorizationServer.deviceAuthorizationEndpoint
      expect(endpoint).toBeDefined()
      if (endpoint === undefined) return
      const options = { authorizationServer, client, fetch, endpoint, scopes: ["read"] }
      const authorization = yield* DeviceAuthorization.request(options)
      expect(authorization.userCode).not.toBe("")
      expect(yield* authorization.poll).toEqual({ _tag: "Pending" })
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )
})
