import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"
import * as AuthorizationServer from "../src/discovery/AuthorizationServer.ts"
import type { Challenge } from "../src/flow/OAuthFlow.ts"
import { discover, make, METADATA, PROTECTED_RESOURCE } from "./support/FaultyAuthorizationServer.ts"

/** What is found of the binding of tokens, by what the server, its authorization server and its challenge say. */
const bindingOf = (resource: object, algorithms: unknown, binding?: Challenge["binding"]) =>
  Effect.gen(function* () {
    const server = yield* make({
      protectedResource: { ...PROTECTED_RESOURCE, ...resource },
      metadata: { ...METADATA, dpop_signing_alg_values_supported: algorithms }
    })
    return (yield* discover(server, binding === undefined ? {} : { binding })).binding
  })

describe("AuthorizationServer.discover", () => {
  it.live("F45, F46: finds it with nothing of ours in the requests", () =>
    Effect.gen(function* () {
      const server = yield* make({
        protectedResource: { ...PROTECTED_RESOURCE, scopes_supported: ["read", "write"] },
        metadata: {
          ...METADATA,
          device_authorization_endpoint: "{origin}/device",
          revocation_endpoint: "{origin}/revoke"
        }
      })
      const found = yield* discover(server)
      expect(found.issuer).toBe(server.origin)
      expect(found.resource).toBe(`${server.origin}/mcp`)
      expect(found.scopes).toEqual(["read", "write"])
      expect(found.deviceAuthorizationEndpoint?.href).toBe(`${server.origin}/device`)
      expect(found.revocationEndpoint?.href).toBe(`${server.origin}/revoke`)
      expect(server.received.map(({ path }) => path)).toEqual([
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server"
      ])
      const names = new Set(server.received.flatMap(({ headers }) => Object.keys(headers)))
      expect([...names].toSorted()).toEqual(["accept", "connection", "host", "mcp-protocol-version", "user-agent"])
    })
  )

  it.live("asks for what the challenge names rather than for all that there is", () =>
    Effect.gen(function* () {
      const server = yield* make({
        protectedResource: { ...PROTECTED_RESOURCE, scopes_supported: ["read", "write"] }
      })
      const resourceMetadata = new URL(`${server.origin}/.well-known/oauth-protected-resource/elsewhere`)
      const found = yield* discover(server, { scope: "read  admin", resourceMetadata })
      expect(found.scopes).toEqual(["read", "admin"])
      expect(server.received[0]?.path).toBe(resourceMetadata.pathname)
    })
  )

  it.live("keeps the endpoints of an OpenID provider that the SDK has no place for", () =>
    Effect.gen(function* () {
      const server = yield* make({
        metadata: null,
        answering: ({ path }) =>
          path === "/.well-known/openid-configuration"
            ? {
                status: 200,
                json: {
                  ...METADATA,
                  jwks_uri: "{origin}/jwks",
                  subject_types_supported: ["public"],
                  id_token_signing_alg_values_supported: ["ES256"],
                  device_authorization_endpoint: "{origin}/device"
                }
              }
            : undefined
      })
      const found = yield* discover(server)
      expect(found.deviceAuthorizationEndpoint?.href).toBe(`${server.origin}/device`)
    })
  )

  it.live(
    "takes a server without protected resource metadata for one of 2025-03-26, and names its resource still",
    () =>
      Effect.gen(function* () {
        const server = yield* make({ protectedResource: null })
        const found = yield* discover(server)
        expect(found.issuer).toBe(server.origin)
        expect(found.resource).toBe(`${server.origin}/mcp`)
      })
  )

  it.live("takes a server without any metadata to have the endpoints of 2025-03-26", () =>
    Effect.gen(function* () {
      const server = yield* make({ protectedResource: null, metadata: null })
      const { metadata } = yield* discover(server)
      expect(metadata.authorization_endpoint).toBe(`${server.origin}/authorize`)
      expect(metadata.token_endpoint).toBe(`${server.origin}/token`)
      expect(metadata.registration_endpoint).toBe(`${server.origin}/register`)
    })
  )

  it.live("finds what the key of a token is for, where the server asks for one and all who say so have it", () =>
    Effect.gen(function* () {
      const required = { dpop_bound_access_tokens_required: true }
      const offered = { isRequired: false }
      expect(yield* bindingOf({}, ["ES256"])).toBeUndefined()
      expect(yield* bindingOf({ dpop_signing_alg_values_supported: ["ES256"] }, ["ES256"])).toBeUndefined()
      expect(yield* bindingOf(required, ["RS256", "ES384", "ES256"])).toEqual({ isRequired: true, algorithm: "ES256" })
      expect(yield* bindingOf({}, ["ES256"], offered)).toEqual({ isRequired: false, algorithm: "ES256" })
      expect(yield* bindingOf(required, ["ES256"], offered)).toEqual({ isRequired: true, algorithm: "ES256" })
      expect(yield* bindingOf({ dpop_signing_alg_values_supported: ["EdDSA"] }, ["ES256", "EdDSA"], offered)).toEqual({
        isRequired: false,
        algorithm: "EdDSA"
      })
      expect(yield* bindingOf({}, ["ES256", "ES512"], { isRequired: true, algorithms: ["ES512"] })).toEqual({
        isRequired: true,
        algorithm: "ES512"
      })
      for (const algorithms of [undefined, [], ["none"], ["RS256", "HS256"]]) {
        expect(yield* bindingOf({}, algorithms, offered)).toEqual({ isRequired: false })
      }
      expect(yield* bindingOf({}, ["ES256"], { isRequired: true, algorithms: ["ES384"] })).toEqual({ isRequired: true })
    })
  )

  it.live("refuses an authorization server that is named and says nothing of itself", () =>
    Effect.gen(function* () {
      const server = yield* make({ metadata: null })
      const error = yield* Effect.flip(discover(server))
      expect(error._tag).toBe("SignInFailed")
      expect(error.message).toContain("publishes no metadata")
    })
  )

  it.live("refuses metadata of another issuer", () =>
    Effect.gen(function* () {
      const server = yield* make({ metadata: { ...METADATA, issuer: "https://honest.example.com" } })
      const error = yield* Effect.flip(discover(server))
      expect(error._tag).toBe("SignInFailed")
      expect(error.message).toContain("is that of another issuer, https://honest.example.com")
    })
  )

  it.live("refuses metadata of another resource", () =>
    Effect.gen(function* () {
      for (const resource of ["https://other.example.com/mcp", "{origin}/mcp/deeper", "{origin}/m"]) {
        const server = yield* make({ protectedResource: { ...PROTECTED_RESOURCE, resource } })
        const error = yield* Effect.flip(discover(server))
        expect(error._tag).toBe("SignInFailed")
        expect(error.message).toContain("protected resource metadata is that of")
      }
    })
  )

  it.live("F74: refuses endpoints that are no web addresses, or that are somebody else's machine", () =>
    Effect.gen(function* () {
      const endpoints = [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint"
      ]
      const addresses = [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "$(touch /tmp/owned)",
        "--flag",
        "https://169.254.169.254/",
        "http://example.com/token",
        "https://user:hunter2hunter2@example.com/"
      ]
      for (const endpoint of endpoints) {
        for (const address of addresses) {
          const server = yield* make({ metadata: { ...METADATA, [endpoint]: address } })
          const error = yield* Effect.flip(discover(server))
          expect(error._tag).toBe("SignInFailed")
          expect(error.message).toContain(`its ${endpoint}, which the server names`)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("F74: refuses an authorization server, and protected resource metadata, that may not be asked", () =>
    Effect.gen(function* () {
      for (const address of ["file:///etc/passwd", "--flag", "https://10.0.0.1", "http://auth.example.com"]) {
        const server = yield* make({ protectedResource: { ...PROTECTED_RESOURCE, authorization_servers: [address] } })
        expect((yield* Effect.flip(discover(server)))._tag).toBe("SignInFailed")
        expect(server.received.every(({ path }) => path.startsWith("/.well-known/"))).toBe(true)
      }
      const server = yield* make()
      const resourceMetadata = new URL("http://169.254.169.254/latest")
      const error = yield* Effect.flip(discover(server, { resourceMetadata }))
      expect(error._tag).toBe("SignInFailed")
      expect(server.received).toEqual([])
    })
  )

  it.live(
    "F62: what cannot be read or answers with an error of its own is TokenFailed, and says nothing of the text",
    () =>
      Effect.gen(function* () {
        const unreadable = yield* make({ metadata: { issuer: "hunter2hunter2" } })
        const error = yield* Effect.flip(discover(unreadable))
        expect(error._tag).toBe("TokenFailed")
        expect(error.message).not.toContain("hunter2hunter2")
        const broken = yield* make({ answering: () => ({ status: 503, json: {} }) })
        expect((yield* Effect.flip(discover(broken)))._tag).toBe("TokenFailed")
        expect(broken.received).toHaveLength(1)
      })
  )
})

describe("AuthorizationServer.requirePkce", () => {
  it.live("F77: refuses a server that does not promise PKCE with S256", () =>
    Effect.gen(function* () {
      for (const methods of [undefined, [], ["plain"], ["s256"]]) {
        const server = yield* make({ metadata: { ...METADATA, code_challenge_methods_supported: methods } })
        const error = yield* Effect.flip(Effect.flatMap(discover(server), AuthorizationServer.requirePkce))
        expect(error._tag).toBe("SignInFailed")
        expect(error.message).toContain("PKCE with S256")
      }
      const server = yield* make({ metadata: { ...METADATA, code_challenge_methods_supported: ["plain", "S256"] } })
      yield* Effect.flatMap(discover(server), AuthorizationServer.requirePkce)
    })
  )
})
