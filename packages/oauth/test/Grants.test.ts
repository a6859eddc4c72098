import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { describe, expect } from "vitest"
import * as AuthorizationCode from "../src/grant/AuthorizationCode.ts"
import * as IdentityAssertion from "../src/grant/IdentityAssertion.ts"
import * as TokenExchange from "../src/grant/TokenExchange.ts"
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
  secret,
  device
} from "./support/Granting.ts"

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
