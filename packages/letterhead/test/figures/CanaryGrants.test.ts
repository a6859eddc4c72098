/**
 * F50 for grants without a browser: a code for a device, the token of a caller, an id token, the assertion and the key of a
 * client, and what is revoked; at an authorization server that repeats them.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import * as AuthorizationServer from "@letterhead/oauth/discovery/AuthorizationServer"
import * as ClientCredentials from "@letterhead/oauth/grant/ClientCredentials"
import type * as GrantError from "@letterhead/oauth/grant/GrantError"
import * as IdentityAssertion from "@letterhead/oauth/grant/IdentityAssertion"
import * as JwtBearer from "@letterhead/oauth/grant/JwtBearer"
import * as Revocation from "@letterhead/oauth/grant/Revocation"
import type { GrantOptions } from "@letterhead/oauth/grant/TokenRequest"
import * as OAuthFetch from "@letterhead/oauth/http/OAuthFetch"
import * as PastedRedirect from "@letterhead/oauth/signin/PastedRedirect"
import { SignInPrompt, text as words } from "@letterhead/oauth/signin/SignInPrompt"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import type { EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { CALL, TIMEOUT, expectNothing, outcome } from "./Canary.ts"
import { CLIENT_SECRET, type Endpoint, REPETITIONS, WELL, all, refusal, text } from "./CanaryAuthorizationServer.ts"
import { stage } from "./CanaryOAuth.ts"

/** Of whoever calls, or of the identity provider. */
const SUBJECT = "canary71d0e2subject.of/the+caller"
const ID_TOKEN = "canary5ac93bid.token/of+ada"

const ANSWERS: ReadonlyArray<Endpoint> = [
  // What came of an earlier grant, nobody holds here any more.
  ...REPETITIONS.filter(([what]) => what !== "what it knows").map(([, repeat]) => refusal("invalid_request", repeat)),
  refusal("server_error", all),
  text(500, "text/plain"),
  text(200, "text/html"),
  text(200, "application/json", (everything) => JSON.stringify({ access_token: `${everything}\n`, token_type: "a" }))
]

const token = (what: string) => Redacted.make(`canary${what}0f1d8c of/ada`)

describe.concurrent("a grant that is refused", () => {
  it.live(
    "F50: no answer to an exchange shows the token of the caller, or the one that came of it",
    () =>
      Effect.gen(function* () {
        const { expectKept, run, server, target } = yield* stage
        const incoming = [{ name: "authorization", value: Redacted.make(`Bearer ${SUBJECT}`) }]
        const options: EntryOptions = {
          auth: "oauth",
          oauth: {
            clientId: "some-client",
            clientSecret: CLIENT_SECRET,
            exchange: { tokenUrl: `${server.origin}/token`, audience: "notes" }
          }
        }
        const call = (what: string) => run(what, { servers: [target(options)] }, { ...CALL, incoming })
        assert.strictEqual(yield* call("an exchange"), "Success")
        for (const [index, answer] of ANSWERS.entries()) {
          server.settings.token = answer
          assert.match(yield* call(`an exchange ${index}`), /^(SignInFailed|TokenFailed)$/)
        }
        Object.assign(server.settings, WELL)
        server.settings.mcp = (token) => ({
          status: 401,
          headers: { "www-authenticate": `Bearer error="invalid_token", scope="${token}"` },
          body: token
        })
        assert.notStrictEqual(yield* call("a token that is refused"), "Success")
        assert.isTrue(server.secrets.get("subject token")?.has(SUBJECT))
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50: no answer shows what a client proves itself with, an assertion or an id token",
    () =>
      Effect.gen(function* () {
        const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
        const pem = privateKey.export({ type: "pkcs8", format: "pem" })
        const lines = pem.split("\n").filter((line) => line !== "" && !line.startsWith("---"))
        const key = { privateKey: Redacted.make(pem), algorithm: "ES256" }
        const secret = Redacted.make(CLIENT_SECRET)
        const idToken = Redacted.make(ID_TOKEN)
        const grants: ReadonlyArray<
          readonly [what: string, (options: GrantOptions) => Effect.Effect<unknown, GrantError.GrantError>]
        > = [
          [
            "client secret",
            ({ client, ...options }) =>
              ClientCredentials.request({ ...options, client: { ...client, secret }, scopes: [] })
          ],
          [
            "assertion",
            ({ client, ...options }) =>
              ClientCredentials.request({ ...options, client: { ...client, key }, scopes: [] })
          ],
          ["assertion", (options) => JwtBearer.request({ ...options, assertion: Redacted.make(SUBJECT), scopes: [] })],
          [
            "subject token",
            ({ client, ...options }) => {
              const { issuer } = client
              const own = { ...client, secret }
              const identityProvider = { issuer, tokenEndpoint: new URL("/token", issuer), client: own }
              return IdentityAssertion.request({ ...options, client: own, identityProvider, idToken, scopes: [] })
            }
          ]
        ]
        for (const [what, grant] of grants) {
          const { evidence, server } = yield* stage
          const serverUrl = new URL(server.url)
          const fetch = yield* OAuthFetch.make({ serverUrl })
          const challenge = { resourceMetadata: new URL(`${server.origin}/resource`) }
          const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch, challenge })
          const client = { id: "some-client", issuer: authorizationServer.issuer }
          for (const [index, answer] of ANSWERS.entries()) {
            server.settings.token = answer
            const said = outcome(
              yield* evidence.observe(`${what} ${index}`, grant({ authorizationServer, client, fetch }))
            )
            assert.match(said, /^(GrantRefused|SignInFailed|TokenFailed)$/, what)
          }
          assert.isDefined(server.secrets.get(what), what)
          const secrets = [...server.secrets.values()].flatMap((each) => [...each])
          expectNothing(evidence, [...secrets, pem.slice(28), ...lines])
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F74: no answer about a device shows its code, and neither does what the person is told",
    () =>
      Effect.gen(function* () {
        const { evidence, expectKept, run, server, target } = yield* stage
        const shown = Layer.succeed(SignInPrompt, {
          show: (notice) => Effect.sync(() => evidence.keepOutput("the terminal", words(notice))),
          ask: () => Effect.succeed(Option.none())
        })
        const use = (what: string) =>
          run(what, { servers: [target()], signIn: Layer.provide(PastedRedirect.layer, shown) })
        const metadata = { device_authorization_endpoint: `${server.origin}/device` }
        server.settings.metadata = metadata
        assert.strictEqual(yield* use("a device"), "Success")
        assert.isAbove(evidence.counts().output, 0)
        server.expire()
        server.settings.token = refusal("invalid_grant", all)
        assert.strictEqual(yield* use("a device, renewed"), "SignInFailed")
        for (const [index, answer] of [
          refusal("invalid_client", all),
          text(500, "text/plain"),
          text(200, "text/plain")
        ].entries()) {
          server.settings.device = answer
          assert.match(yield* use(`no device ${index}`), /^(SignInFailed|TokenFailed)$/)
        }
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F78: no answer to a revocation shows what is revoked",
    () =>
      Effect.gen(function* () {
        const { evidence, server } = yield* stage
        const record = {
          _tag: "SignedIn",
          accessToken: token("access"),
          refreshToken: token("refresh"),
          tokenType: "Bearer",
          issuer: server.origin,
          resource: server.url,
          clientId: "some-client",
          serverUrl: server.url,
          resourceMetadata: `${server.origin}/resource`
        } as const
        const settings = { clientId: "some-client", clientSecret: Redacted.make(CLIENT_SECRET) }
        const revoke: Effect.Effect<boolean, HeaderErrorReason> = Revocation.revoke(
          { server: "example", principal: "local", serverUrl: new URL(server.url), settings },
          record
        ).pipe(Effect.provide(SecretStore.layerMemory))
        assert.strictEqual(outcome(yield* evidence.observe("F78", revoke)), "Success")
        for (const [index, answer] of ANSWERS.slice(0, -2).entries()) {
          server.settings.revoke = answer
          assert.match(outcome(yield* evidence.observe(`F78 ${index}`, revoke)), /^(SignInFailed|TokenFailed)$/)
        }
        assert.strictEqual(server.secrets.get("token")?.size, 2)
        expectNothing(
          evidence,
          [...server.secrets.values()].flatMap((each) => [...each])
        )
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
