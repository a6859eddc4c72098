import { it } from "@effect/vitest"
import { DpopSession } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect } from "vitest"
import * as AuthorizationCode from "../src/grant/AuthorizationCode.ts"
import * as ClientCredentials from "../src/grant/ClientCredentials.ts"
import * as DeviceAuthorization from "../src/grant/DeviceAuthorization.ts"
import * as GrantError from "../src/grant/GrantError.ts"
import * as IdentityAssertion from "../src/grant/IdentityAssertion.ts"
import type { OAuthClient } from "../src/client/OAuthClient.ts"
import * as RefreshGrant from "../src/grant/RefreshGrant.ts"
import * as TokenExchange from "../src/grant/TokenExchange.ts"
import type { TokenAnswer } from "../src/grant/TokenRequest.ts"
import { discover, type FaultyServer, make, METADATA } from "./support/FaultyAuthorizationServer.ts"
import type { Received } from "./support/LoopbackServer.ts"

const TOKENS = { access_token: "at-hunter2", token_type: "bearer", expires_in: 60, refresh_token: "rt-hunter2" }

/** Answers token requests one after the other; the last answer stays. */
const tokenServer = (
  answers: ReadonlyArray<{ readonly status: number; readonly json: unknown }>,
  metadata: object = {}
) => {
  let count = 0
  return make({
    metadata: { ...METADATA, ...metadata },
    answering: ({ path }) => (path === "/token" ? answers[Math.min(count++, answers.length - 1)] : DEVICE_PATHS[path])
  })
}

const DEVICE_PATHS: Readonly<Record<string, { readonly status: number; readonly json: unknown }>> = {
  "/device": {
    status: 200,
    json: { device_code: "dc-hunter2", user_code: "ABCD", verification_uri: "{origin}/go", expires_in: 600 }
  },
  "/refusing": { status: 400, json: { error: "invalid_scope", error_description: "no s3cret-s3cret" } }
}

const granting = (metadata: object = {}) => tokenServer([{ status: 200, json: TOKENS }], metadata)

const refusing = (json: unknown, status = 400) => tokenServer([{ status, json }])

const optionsOf = (server: FaultyServer, client: Partial<OAuthClient> = {}) =>
  Effect.map(discover(server), (authorizationServer) => ({
    authorizationServer,
    client: { id: "me", issuer: server.origin, ...client },
    fetch: server.fetch
  }))

const tokenRequests = (server: FaultyServer): ReadonlyArray<Received> =>
  server.received.filter(({ path }) => path === "/token")

/** The parameters of the last token request. */
const sent = (server: FaultyServer) => Object.fromEntries(new URLSearchParams(tokenRequests(server).at(-1)?.body))

const refresh = (server: FaultyServer, client: Partial<OAuthClient> = {}) =>
  Effect.flatMap(optionsOf(server, client), (options) =>
    RefreshGrant.refresh({ ...options, refreshToken: Redacted.make("rt/old hunter2") })
  )

const revealed = ({ accessToken }: TokenAnswer): string => Redacted.value(accessToken)

const secret = Redacted.make("s3cret:+ä")

const REDIRECT = "http://127.0.0.1:5000/callback"

const begin = (server: FaultyServer) =>
  Effect.flatMap(optionsOf(server), (options) =>
    AuthorizationCode.request({
      ...options,
      redirectUri: REDIRECT,
      state: Redacted.make("st-hunter2"),
      scopes: ["read", "write", "read"]
    })
  )

const answered = (parameters: Readonly<Record<string, string>>) =>
  new URLSearchParams({ code: "co-hunter2", state: "st-hunter2", ...parameters })

const device = (server: FaultyServer, path: string) =>
  Effect.flatMap(optionsOf(server, { secret }), (options) =>
    DeviceAuthorization.request({ ...options, endpoint: new URL(path, server.origin), scopes: ["read"] })
  )

const identityProvider = (json: unknown, status = 200) => tokenServer([{ status, json }])

const enterprise = (server: FaultyServer, provider: FaultyServer, tokenEndpoint?: URL) =>
  Effect.flatMap(optionsOf(server, { secret }), (options) =>
    IdentityAssertion.request({
      ...options,
      identityProvider: {
        issuer: provider.origin,
        client: { id: "idp-me", issuer: provider.origin },
        ...(tokenEndpoint === undefined ? {} : { tokenEndpoint })
      },
      idToken: Redacted.make("id-hunter2"),
      scopes: ["read"]
    })
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

describe("AuthorizationCode", () => {
  it.live("asks with PKCE, state, scope and resource, and exchanges the answer once", () =>
    Effect.gen(function* () {
      const server = yield* granting({ scopes_supported: ["read", "offline_access"] })
      const pending = yield* begin(server)
      const asked = Object.fromEntries(pending.authorizationUrl.searchParams)
      expect(asked).toMatchObject({
        response_type: "code",
        client_id: "me",
        code_challenge_method: "S256",
        redirect_uri: REDIRECT,
        state: "st-hunter2",
        scope: "read write offline_access",
        resource: server.serverUrl.href
      })
      expect(pending.scope).toBe("read write offline_access")
      expect(revealed(yield* pending.exchange(answered({})))).toBe("at-hunter2")
      expect(sent(server)).toMatchObject({
        grant_type: "authorization_code",
        code: "co-hunter2",
        redirect_uri: REDIRECT,
        resource: server.serverUrl.href
      })
      expect(sent(server)["code_verifier"]).toMatch(/^[\w.~-]{43,128}$/)
      const again = yield* Effect.flip(pending.exchange(answered({})))
      expect(again.message).toContain("used before")
      expect(tokenRequests(server)).toHaveLength(1)
    })
  )

  it.live("refuses an answer with another state, without a code, or of another issuer, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const strict = yield* granting({ authorization_response_iss_parameter_supported: true })
      const cases = [
        [server, answered({ state: "other" })],
        [server, answered({ state: "" })],
        [server, answered({ code: "" })],
        [server, new URLSearchParams({ error: "access_denied", state: "st-hunter2" })],
        [server, answered({ iss: "https://evil.example" })],
        [server, answered({ iss: `${server.origin}/` })],
        [strict, answered({})]
      ] as const
      for (const [asked, parameters] of cases) {
        const error = yield* Effect.flip(Effect.flatMap(begin(asked), ({ exchange }) => exchange(parameters)))
        expect(error._tag).toBe("SignInFailed")
        expect(error.message).not.toContain("hunter2")
      }
      const right = answered({ iss: strict.origin })
      yield* Effect.flatMap(begin(strict), ({ exchange }) => exchange(right))
      expect(tokenRequests(server)).toEqual([])
      expect(tokenRequests(strict)).toHaveLength(1)
    })
  )

  it.live("F77: sends nobody to a server that does not promise PKCE", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(begin(yield* granting({ code_challenge_methods_supported: undefined })))
      expect(error.message).toContain("PKCE")
    })
  )
})

describe("DeviceAuthorization", () => {
  it.live("gives the code for the person, and asks until there is a token", () =>
    Effect.gen(function* () {
      const server = yield* tokenServer([
        { status: 400, json: { error: "authorization_pending" } },
        { status: 400, json: { error: "slow_down" } },
        { status: 200, json: TOKENS },
        { status: 400, json: { error: "expired_token" } }
      ])
      const authorization = yield* device(server, "/device")
      expect(authorization.userCode).toBe("ABCD")
      expect(authorization.verificationUri).toBe(`${server.origin}/go`)
      expect(inspect(authorization, { depth: 9 })).not.toContain("hunter2")
      const asked = new URLSearchParams(server.received.find(({ path }) => path === "/device")?.body)
      expect(Object.fromEntries(asked)).toEqual({ client_id: "me", scope: "read", resource: server.serverUrl.href })
      expect(yield* authorization.poll).toEqual({ _tag: "Pending" })
      expect(yield* authorization.poll).toEqual({ _tag: "SlowDown" })
      const done = yield* authorization.poll
      expect(done._tag === "Done" && revealed(done.value)).toBe("at-hunter2")
      expect(sent(server)["device_code"]).toBe("dc-hunter2")
      const error = yield* Effect.flip(authorization.poll)
      expect(error._tag === "GrantRefused" && error.code).toBe("expired_token")
    })
  )

  it.live("tells a refusal from nonsense", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const refused = yield* Effect.flip(device(server, "/refusing"))
      expect(refused._tag === "GrantRefused" && refused.code).toBe("invalid_scope")
      expect((yield* Effect.flip(device(server, "/nowhere")))._tag).toBe("TokenFailed")
    })
  )
})

describe("TokenExchange", () => {
  it.live("exchanges the token of a caller, which is shown nowhere", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const options = yield* optionsOf(server, { secret })
      const subjectToken = Redacted.make("sub-hunter2")
      yield* TokenExchange.request({ ...options, subjectToken, audience: "calendar", scopes: ["read"] })
      expect(sent(server)).toEqual({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: "sub-hunter2",
        subject_token_type: TokenExchange.ACCESS_TOKEN,
        requested_token_type: TokenExchange.ACCESS_TOKEN,
        audience: "calendar",
        scope: "read",
        resource: server.serverUrl.href
      })
      const refusal = yield* refusing({ error: "invalid_request", error_description: "no sub-hunter2" })
      const refused = yield* Effect.flip(
        TokenExchange.request({ ...(yield* optionsOf(refusal)), subjectToken, scopes: [] })
      )
      expect(refused.message).toBe("the authorization server refused (invalid_request): no ***")
    })
  )
})

describe("IdentityAssertion", () => {
  it.live("exchanges an id token for an assertion, and that for a token", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const provider = yield* identityProvider({
        issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        access_token: "jag-hunter2",
        token_type: "N_A"
      })
      expect(revealed(yield* enterprise(server, provider))).toBe("at-hunter2")
      expect(sent(provider)).toMatchObject({
        requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        audience: server.origin,
        resource: server.serverUrl.href,
        subject_token: "id-hunter2",
        client_id: "idp-me"
      })
      expect(sent(server)).toMatchObject({
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: "jag-hunter2"
      })
    })
  )

  it.live("takes the token endpoint of an identity provider that says nothing of itself", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const provider = yield* make({
        metadata: null,
        answering: ({ path }) =>
          path === "/exchange"
            ? {
                status: 200,
                json: { issued_token_type: "urn:ietf:params:oauth:token-type:id-jag", access_token: "jag-hunter2" }
              }
            : undefined
      })
      expect((yield* Effect.flip(enterprise(server, provider)))._tag).toBe("TokenFailed")
      const answer = yield* enterprise(server, provider, new URL("/exchange", provider.origin))
      expect(revealed(answer)).toBe("at-hunter2")
    })
  )

  it.live("says by its code what the identity provider refused, without the id token", () =>
    Effect.gen(function* () {
      const server = yield* granting()
      const provider = yield* identityProvider({ error: "invalid_grant", error_description: "id-hunter2 is old" }, 400)
      const error = yield* Effect.flip(enterprise(server, provider))
      expect(error.message).toBe("the identity provider refused (invalid_grant): *** is old")
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
