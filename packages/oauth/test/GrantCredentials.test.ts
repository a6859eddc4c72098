/** What a grant without a person proves itself with, and to whom it shows that. */
import { assert, describe, it } from "@effect/vitest"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry as entryFixture } from "@letterhead/testing/EntryFixture"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as GrantServer from "./support/GrantServer.ts"
import * as LoopbackServer from "./support/LoopbackServer.ts"
import * as OidcProvider from "./support/OidcProvider.ts"
import { layer, open, send } from "./support/Signing.ts"
import { entryOf, failureOf, program } from "./support/GrantProgram.ts"

const { CANARY } = GrantServer

describe("a grant without a person", () => {
  it.effect("has an assertion read anew for each token", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "assertion-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true }))
      )
      const file = join(folder, "token")
      writeFileSync(file, "first\n")
      const server = yield* GrantServer.make()
      const entry = entryFixture({
        url: server.url,
        oauth: { clientId: "workload", grant: { type: "jwt_bearer", assertion: `{file:${file}}` } }
      })
      const connection = yield* open(entry)
      assert.strictEqual(yield* send(connection), 200)
      writeFileSync(file, "second\n\n")
      server.expire()
      assert.strictEqual(yield* send(connection), 200)
      assert.deepStrictEqual(
        server.asked.map((one) => [one.get("grant_type"), one.get("assertion"), one.get("client_id")]),
        ["first", "second"].map((one) => ["urn:ietf:params:oauth:grant-type:jwt-bearer", one, "workload"])
      )
      yield* TestClock.adjust("10 seconds")
      server.expire()
      rmSync(file)
      assert.strictEqual((yield* failureOf(send(connection))).reason._tag, "FileUnreadable")
    }).pipe(Effect.provide(program()))
  )

  it.live("shows an id token to the identity provider alone, and says which of the two refused", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const provider = yield* GrantServer.make()
      const withToken = (idToken: string) =>
        entryOf(server.url, {
          oauth: {
            grant: {
              type: "id_jag",
              idToken,
              identityProvider: {
                issuer: provider.origin,
                tokenEndpoint: `${provider.origin}/idp/token`,
                clientId: "at-idp"
              }
            }
          }
        })
      assert.strictEqual(yield* Effect.flatMap(open(withToken(`id-${CANARY}`)), send), 200)
      const [exchange] = provider.exchanged
      assert.strictEqual(exchange?.get("audience"), server.origin)
      assert.strictEqual(exchange?.get("client_id"), "at-idp")
      assert.strictEqual(server.asked[0]?.get("assertion"), `jag-${CANARY}`)
      assert.isFalse(server.received.some(({ body }) => body.includes("id-")))
      const error = yield* failureOf(Effect.flatMap(open(withToken("spent-token")), send))
      assert.include(error.message, "the identity provider refused (invalid_grant): the id token has expired; check")
    }).pipe(Effect.provide(program()))
  )

  it.live("says of a key that cannot sign what it has to be, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const keys = [CANARY, privateKey.export({ type: "pkcs8", format: "pem" })]
      for (const [index, key] of keys.entries()) {
        const grant = { type: "client_credentials" as const, key: { privateKey: key, algorithm: "ES256" } }
        const entry = entryFixture({
          name: `s${index}`,
          url: server.url,
          auth: "oauth",
          oauth: { clientId: "w", grant }
        })
        const error = yield* failureOf(Effect.flatMap(open(entry), send))
        assert.include(error.message, "the private key cannot sign by ES256")
        assert.notInclude(inspect(error, { depth: 9 }), key.slice(0, 40))
      }
      assert.deepStrictEqual(server.asked, [])
    }).pipe(Effect.provide(program()))
  )

  it.live("F76: sends a secret to no other authorization server than the first, or the one of the entry", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const other = yield* GrantServer.make()
      const connection = yield* open(entryOf(server.url))
      assert.strictEqual(yield* send(connection), 200)
      server.settings.issuer = other.origin
      server.expire()
      assert.include((yield* failureOf(send(connection))).message, "belongs to")
      const named = entryOf(server.url, {
        name: "named",
        oauth: { grant: { type: "client_credentials", issuer: server.origin } }
      })
      assert.include((yield* failureOf(Effect.flatMap(open(named), send))).message, `Correct "issuer"`)
      assert.deepStrictEqual(other.asked, [])
      server.settings.issuer = undefined
      const store = yield* SecretStore
      const before = yield* store.list
      assert.strictEqual(yield* Effect.flatMap(open({ ...named }), send), 200)
      assert.deepStrictEqual(yield* store.list, before, "what the entry says has to be remembered by nobody")
    }).pipe(Effect.provide(program()))
  )

  it.live("whose client cannot be remembered sends nothing, and says that the entry can name the issuer", () =>
    Effect.gen(function* () {
      const server = yield* GrantServer.make()
      const store = yield* SecretStore
      const reason = new SecretStoreFailed({ path: "/secrets", description: "cannot be written" })
      const closed = Layer.succeed(SecretStore, { ...store, modify: () => Effect.fail(new HeaderError({ reason })) })
      const error = yield* failureOf(Effect.flatMap(open(entryOf(server.url)), send)).pipe(
        Effect.scoped,
        Effect.provide(layer({ signIn: layerNever, store: closed }), { local: true })
      )
      assert.include(error.message, `the secret store /secrets cannot be written; it would hold which`)
      assert.include(error.message, `"issuer"`)
      assert.deepStrictEqual(server.asked, [])
    }).pipe(Effect.provide(program()))
  )

  it.live("works with oidc-provider, by secret and by key", () =>
    Effect.gen(function* () {
      let issuer = ""
      const seen: Array<string> = []
      const server = yield* LoopbackServer.make((request, response, origin) => {
        if (request.path.startsWith("/.well-known/oauth-protected-resource")) {
          return LoopbackServer.json(response, { resource: `${origin}/mcp`, authorization_servers: [issuer] })
        }
        seen.push(request.headers.authorization ?? "")
        return response.writeHead(request.headers.authorization === undefined ? 401 : 200).end()
      })
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const common = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }
      const provider = yield* OidcProvider.make({
        resource: `${server.origin}/mcp`,
        clients: [
          { ...common, client_id: "by-secret", client_secret: CANARY },
          {
            ...common,
            client_id: "by-key",
            token_endpoint_auth_method: "private_key_jwt",
            token_endpoint_auth_signing_alg: "ES256",
            jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] }
          }
        ]
      })
      issuer = provider.issuer
      const pem = privateKey.export({ type: "pkcs8", format: "pem" })
      const url = `${server.origin}/mcp`
      const entries = [
        entryOf(url, { name: "a", oauth: { clientId: "by-secret", scopes: ["read"] } }),
        entryFixture({
          name: "b",
          url,
          auth: "oauth",
          oauth: {
            clientId: "by-key",
            grant: { type: "client_credentials", key: { privateKey: pem, algorithm: "ES256" } }
          }
        })
      ]
      for (const entry of entries) assert.strictEqual(yield* Effect.flatMap(open(entry), send), 200)
      assert.strictEqual(seen.filter((one) => one.startsWith("Bearer ")).length, 2)
    }).pipe(Effect.provide(program()))
  )
})
