import { it } from "@effect/vitest"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { describe, expect } from "vitest"
import * as ClientRegistration from "../src/client/ClientRegistration.ts"
import type { ClientSettings } from "../src/flow/OAuthFlow.ts"
import { discover, type Documents, type FaultyServer, make, METADATA } from "./support/FaultyAuthorizationServer.ts"

const SERVER_URL = new URL("http://localhost:1/mcp")

const targetOf = (settings: ClientSettings = {}, principal = "local") => ({
  server: "linear",
  serverUrl: SERVER_URL,
  principal,
  settings
})

const REDIRECT = "http://127.0.0.1:5000/callback"

/** An authorization server that registers; each client with an id of its own. */
const registering = (documents: Documents = {}, given: object = {}) => {
  let count = 0
  return make({
    ...documents,
    answering: ({ path }) =>
      path === "/register"
        ? {
            status: 201,
            json: {
              client_id: `client-${++count}`,
              client_secret: "s3cret-s3cret",
              redirect_uris: [REDIRECT],
              ...given
            }
          }
        : undefined
  })
}

const registrations = (server: FaultyServer) => server.received.filter(({ path }) => path === "/register")

const obtain = (server: FaultyServer, target = targetOf(), redirectUri = REDIRECT) =>
  Effect.gen(function* () {
    const authorizationServer = yield* discover(server)
    return yield* ClientRegistration.obtain({ target, authorizationServer, fetch: server.fetch, redirectUri })
  })

describe("ClientRegistration", () => {
  it.live("registers a native client once for a redirect URI, and keeps earlier ones for their tokens", () =>
    Effect.gen(function* () {
      const server = yield* registering()
      const first = yield* obtain(server)
      expect(first.id).toBe("client-1")
      expect(yield* obtain(server)).toEqual(first)
      const second = yield* obtain(server, targetOf(), "http://127.0.0.1:5001/callback")
      expect(second.id).toBe("client-2")
      expect(registrations(server).map(({ body }): unknown => JSON.parse(body))).toEqual(
        [5000, 5001].map((port) => ({
          client_name: "Letterhead",
          redirect_uris: [`http://127.0.0.1:${port}/callback`],
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          application_type: "native",
          token_endpoint_auth_method: "client_secret_basic"
        }))
      )
      const found = yield* ClientRegistration.find(targetOf(), server.origin, "client-1")
      const secret = Option.getOrUndefined(found)?.secret
      expect(secret && Redacted.value(secret)).toBe("s3cret-s3cret")
      yield* ClientRegistration.forget(targetOf(), server.origin)
      expect(yield* ClientRegistration.find(targetOf(), server.origin, "client-1")).toEqual(Option.none())
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("asks for a client without a secret where the server takes such", () =>
    Effect.gen(function* () {
      const server = yield* registering({
        metadata: { ...METADATA, token_endpoint_auth_methods_supported: ["client_secret_basic", "none"] }
      })
      yield* obtain(server)
      expect(JSON.parse(registrations(server)[0]?.body ?? "")).toMatchObject({ token_endpoint_auth_method: "none" })
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("F76: a registration is used at no other issuer, and for no other principal", () =>
    Effect.gen(function* () {
      const server = yield* registering()
      const other = yield* registering()
      yield* obtain(server)
      expect(yield* ClientRegistration.find(targetOf(), other.origin, "client-1")).toEqual(Option.none())
      expect(yield* ClientRegistration.find(targetOf({}, "bob"), server.origin, "client-1")).toEqual(Option.none())
      yield* obtain(other)
      yield* obtain(server, targetOf({}, "bob"))
      expect(registrations(other)).toHaveLength(1)
      expect(registrations(server)).toHaveLength(2)
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("F76: the client of the entry belongs to the issuer it was first used at", () =>
    Effect.gen(function* () {
      const server = yield* registering()
      const other = yield* registering()
      const target = targetOf({ clientId: "mine", clientSecret: Redacted.make("hunter2hunter2") })
      expect((yield* obtain(server, target)).id).toBe("mine")
      expect((yield* obtain(server, target)).issuer).toBe(server.origin)
      const error = yield* Effect.flip(obtain(other, target))
      expect(error._tag).toBe("SignInFailed")
      expect(error.message).toContain(`the client mine of the entry belongs to ${server.origin}`)
      expect(error.message).not.toContain("hunter2hunter2")
      expect(yield* Effect.flip(ClientRegistration.find(target, other.origin, "mine"))).toEqual(error)
      // Another id of the entry is another client.
      expect((yield* obtain(other, targetOf({ clientId: "another" }))).issuer).toBe(other.origin)
      expect([...registrations(server), ...registrations(other)]).toEqual([])
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("uses a client id metadata document where the server takes such, and registers where it does not", () =>
    Effect.gen(function* () {
      const clientMetadataUrl = "https://client.example.com/metadata.json"
      const server = yield* registering({ metadata: { ...METADATA, client_id_metadata_document_supported: true } })
      const client = yield* obtain(server, targetOf({ clientMetadataUrl }))
      expect(client).toEqual({ id: clientMetadataUrl, issuer: server.origin, method: "none" })
      expect(registrations(server)).toEqual([])
      expect((yield* obtain(yield* registering(), targetOf({ clientMetadataUrl }))).id).toBe("client-1")
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("registers anew where the secret of a client has expired", () =>
    Effect.gen(function* () {
      const server = yield* registering({}, { client_secret_expires_at: 1 })
      yield* obtain(server)
      yield* obtain(server)
      expect(registrations(server)).toHaveLength(2)
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("says what to do where the server registers nobody", () =>
    Effect.gen(function* () {
      const { registration_endpoint: _, ...metadata } = METADATA
      const none = yield* Effect.flip(obtain(yield* make({ metadata })))
      expect(none.message).toContain(`give its id as "oauth": { "clientId": … }`)
      const refusing = yield* make({
        answering: ({ path }) => (path === "/register" ? { status: 403, json: { error: "hunter2hunter2" } } : undefined)
      })
      const refused = yield* Effect.flip(obtain(refusing))
      expect(refused.message).toContain("it answered 403")
      expect(refused.message).not.toContain("hunter2hunter2")
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )

  it.live("F77: registers at no server that does not promise PKCE", () =>
    Effect.gen(function* () {
      const server = yield* registering({ metadata: { ...METADATA, code_challenge_methods_supported: ["plain"] } })
      expect((yield* Effect.flip(obtain(server)))._tag).toBe("SignInFailed")
      expect(registrations(server)).toEqual([])
    }).pipe(Effect.provide(SecretStore.layerMemory))
  )
})
