/** One request to a token endpoint: what is sent, how a client proves itself, and what is made of the answer. */
import { it } from "@effect/vitest"
import { DpopSession } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect } from "vitest"
import * as ClientCredentials from "../src/grant/ClientCredentials.ts"
import * as GrantError from "../src/grant/GrantError.ts"
import type { OAuthClient } from "../src/client/OAuthClient.ts"
import * as RefreshGrant from "../src/grant/RefreshGrant.ts"
import { type FaultyServer, make } from "./support/FaultyAuthorizationServer.ts"
import {
  TOKENS,
  tokenServer,
  granting,
  refusing,
  optionsOf,
  tokenRequests,
  sent,
  revealed,
  secret
} from "./support/Granting.ts"

const refresh = (server: FaultyServer, client: Partial<OAuthClient> = {}) =>
  Effect.flatMap(optionsOf(server, client), (options) =>
    RefreshGrant.refresh({ ...options, refreshToken: Redacted.make("rt/old hunter2") })
  )

describe("TokenRequest", () => {
  it.live("F45: sends the grant, the client and the resource, and no header beside", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const answer = yield* refresh(server)
      expect(revealed(answer)).toBe("at-hunter2")
      expect(answer.tokenType).toBe("Bearer")
      expect(answer.expiresIn).toBe(60)
      expect(inspect(answer, { depth: 9 }) + JSON.stringify(answer)).not.toContain("hunter2")
      expect(sent(server)).toEqual({
        grant_type: "refresh_token",
        refresh_token: "rt/old hunter2",
        client_id: "me",
        resource: server.serverUrl.href
      })
      expect(Object.keys(tokenRequests(server)[0]?.headers ?? {}).toSorted()).toEqual([
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent"
      ])
    })
  )

  it.live("F76: asks no issuer with the client of another", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const error = yield* Effect.flip(refresh(server, { issuer: "https://honest.example.com" }))
      expect(error._tag).toBe("SignInFailed")
      expect(error.message).toContain("this client belongs to https://honest.example.com")
      expect(tokenRequests(server)).toEqual([])
    })
  )

  it.live("tells a refusal by its code, with what the server says of it masked and cut", () =>
    Effect.gen(function* () {
      const text = `\u001b[2J rt/old hunter2 and rt%2Fold%20hunter2 ${"x".repeat(2_000)}`
      const error = yield* Effect.flip(refresh(yield* refusing({ error: "invalid_grant", error_description: text })))
      expect(error).toBeInstanceOf(GrantError.GrantRefused)
      expect(error._tag === "GrantRefused" && error.code).toBe("invalid_grant")
      expect(error.message).not.toContain("hunter2")
      expect(error.message).not.toContain("\u001b")
      expect(error.message.length).toBeLessThan(500)
      expect(GrantError.toReason(error)._tag).toBe("SignInFailed")
      const strange = yield* Effect.flip(refresh(yield* refusing({ error: "See https://evil.example" })))
      expect(strange._tag === "GrantRefused" && strange.code).toBe("unknown")
      // Some servers refuse with 200.
      const polite = yield* Effect.flip(refresh(yield* refusing({ error: "invalid_grant" }, 200)))
      expect(polite._tag === "GrantRefused" && polite.code).toBe("invalid_grant")
    })
  )

  it.live("F62: an answer that is no answer is TokenFailed, and nothing of it is shown", () =>
    Effect.gen(function* () {
      const answers = [
        [500, { error: "invalid_grant" }],
        [400, "hunter2"],
        [400, { error: "temporarily_unavailable" }],
        [400, { error: "server_error", error_description: "hunter2" }],
        [200, "hunter2"],
        [200, {}],
        [200, { ...TOKENS, token_type: "mac" }],
        [200, { ...TOKENS, access_token: "at\nhunter2" }],
        [200, { ...TOKENS, access_token: "" }]
      ] as const
      for (const [status, json] of answers) {
        const error = yield* Effect.flip(refresh(yield* refusing(json, status)))
        expect(error._tag).toBe("TokenFailed")
        expect(inspect(error, { depth: 9 })).not.toContain("hunter2")
      }
      const html = yield* make({
        answering: ({ path }) => (path === "/token" ? { status: 302, json: "moved" } : undefined)
      })
      expect((yield* Effect.flip(refresh(html)))._tag).toBe("TokenFailed")
    }).pipe(Effect.scoped)
  )
})

describe("TokenAnswer", () => {
  it.live("F50: a scope that repeats a token, or what was sent for it, is left out", () =>
    Effect.gen(function* () {
      for (const secret of [TOKENS.access_token, TOKENS.refresh_token, "rt/old hunter2", "rt%2Fold%20hunter2"]) {
        const answer = yield* refresh(
          yield* tokenServer([{ status: 200, json: { ...TOKENS, scope: `read ${secret}` } }])
        )
        expect(answer.scope).toBeUndefined()
      }
      const answer = yield* refresh(yield* tokenServer([{ status: 200, json: { ...TOKENS, scope: "read write" } }]))
      expect(answer.scope).toBe("read write")
    }).pipe(Effect.scoped)
  )
})

describe("ClientAuthentication", () => {
  it.live("takes an answer whose refresh token is no text that can be written in a URL", () =>
    Effect.gen(function* () {
      const json = { ...TOKENS, refresh_token: "\ud800", scope: "read write" }
      const answer = yield* refresh(yield* tokenServer([{ status: 200, json }]))
      expect(answer.scope).toBe("read write")
    }).pipe(Effect.scoped)
  )

  it.live("Basic is what a secret is sent by, each half written as in a form", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      yield* refresh(server, { id: "m e", secret })
      const [request] = tokenRequests(server)
      const credential = Buffer.from((request?.headers.authorization ?? "").slice("Basic ".length), "base64").toString()
      expect(credential).toBe("m+e:s3cret%3A%2B%C3%A4")
      expect(sent(server)).not.toHaveProperty("client_secret")
      expect(sent(server)).not.toHaveProperty("client_id")
    })
  )

  it.live("a secret goes into the body where the server or the registration says so", () =>
    Effect.gen(function* () {
      const server = yield* granting({ token_endpoint_auth_methods_supported: ["client_secret_post"] })
      yield* refresh(server, { secret })
      expect(sent(server)).toMatchObject({ client_id: "me", client_secret: "s3cret:+ä" })
      expect(tokenRequests(server)[0]?.headers.authorization).toBeUndefined()
      const other = yield* granting()
      yield* refresh(other, { secret, method: "client_secret_post" })
      expect(sent(other)).toMatchObject({ client_secret: "s3cret:+ä" })
    })
  )

  it.live("a key signs an assertion for the issuer, a new one for each request", () =>
    Effect.gen(function* () {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const pem = privateKey.export({ type: "pkcs8", format: "pem" })
      const server = yield* granting()
      const options = yield* optionsOf(server, { key: { privateKey: Redacted.make(pem), algorithm: "ES256" } })
      yield* ClientCredentials.request({ ...options, scopes: ["read", "write"] })
      const first = sent(server)
      expect(first).toMatchObject({
        grant_type: "client_credentials",
        scope: "read write",
        resource: server.serverUrl.href,
        client_id: "me",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
      })
      const claims: unknown = JSON.parse(
        Buffer.from((first["client_assertion"] ?? "").split(".")[1] ?? "", "base64url").toString()
      )
      expect(claims).toMatchObject({ iss: "me", sub: "me", aud: server.origin })
      yield* ClientCredentials.request({ ...options, scopes: [] })
      expect(sent(server)["client_assertion"]).not.toBe(first["client_assertion"])
      expect(sent(server)).not.toHaveProperty("scope")
    })
  )

  it.live("a client that has nothing to prove itself with asks for nothing in its own name", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const options = yield* optionsOf(server)
      const error = yield* Effect.flip(ClientCredentials.request({ ...options, scopes: [] }))
      expect(error._tag).toBe("SignInFailed")
      expect(tokenRequests(server)).toEqual([])
    })
  )
})

describe("DPoP", () => {
  it.live("a token that is bound to a key that nobody showed is none", () =>
    Effect.gen(function* () {
      const server = yield* tokenServer([{ status: 200, json: { ...TOKENS, token_type: "DPoP" } }])
      const options = yield* optionsOf(server)
      const error = yield* Effect.flip(RefreshGrant.refresh({ ...options, refreshToken: Redacted.make("rt") }))
      expect(error._tag).toBe("TokenFailed")
      expect(error.message).toContain("bound to a key")
    })
  )

  it.live("proves a key to the token endpoint, with the nonce that it asks for", () =>
    Effect.gen(function* () {
      const server = yield* tokenServer([
        { status: 400, json: { error: "use_dpop_nonce" } },
        { status: 200, json: { ...TOKENS, token_type: "DPoP" } }
      ])
      const dpop = yield* Effect.promise(() => DpopSession.create())
      const options = yield* optionsOf(server)
      const answer = yield* RefreshGrant.refresh({ ...options, dpop, refreshToken: Redacted.make("rt") })
      expect(answer.tokenType).toBe("DPoP")
      expect(tokenRequests(server).map(({ headers }) => typeof headers["dpop"])).toEqual(["string", "string"])
    })
  )
})
