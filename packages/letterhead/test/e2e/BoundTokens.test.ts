/** Tokens that are bound to a key, through the whole of Letterhead: each request goes with a proof that is right. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { HeaderError, SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as AuthorizationServer from "@letterhead/oauth/discovery/AuthorizationServer"
import * as ClientCredentials from "@letterhead/oauth/grant/ClientCredentials"
import * as GrantError from "@letterhead/oauth/grant/GrantError"
import * as OAuthFetch from "@letterhead/oauth/http/OAuthFetch"
import * as DpopProof from "@letterhead/oauth/proof/DpopProof"
import * as ProofSession from "@letterhead/oauth/proof/ProofSession"
import { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as ProofKey from "@letterhead/oauth/proof/ProofKey"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as BoundTokens from "./support/BoundTokens.ts"
import { OWNER, person, connect, echo, reasonOf, headersFailed, stored, proofsOf } from "./support/BoundPerson.ts"

const CALLS = 100

/** What a runtime has that needs no person. */
const machine: HeaderSource = {
  id: "machine",
  rank: Rank.credential,
  lifetime: "connection",
  resolve: ({ endpoint, name }) =>
    Effect.gen(function* () {
      const serverUrl = new URL(endpoint.type === "http" ? endpoint.url.source : "")
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const authorizationServer = yield* AuthorizationServer.discover({ serverUrl, fetch })
      const { binding, issuer } = authorizationServer
      const { session } = yield* ProofSession.make(binding?.algorithm ?? "ES256")
      const client = { id: "machine", issuer, secret: Redacted.make("secret"), method: "client_secret_post" }
      const { accessToken, tokenType } = yield* Effect.mapError(
        ClientCredentials.request({ authorizationServer, client, fetch, scopes: [], dpop: session }),
        GrantError.toReason
      )
      const declared = "the runtime"
      const value = `${tokenType} ${Redacted.value(accessToken)}`
      return {
        ...HeaderPatch.empty("machine", Rank.credential),
        set: [yield* Effect.fromResult(HeaderPatch.setField("Authorization", value, declared))],
        proof: DpopProof.make({
          server: name,
          source: "machine",
          session: Effect.succeed(session),
          accessToken,
          declared
        })
      }
    }).pipe(
      Effect.scoped,
      Effect.mapError((reason) => new HeaderError({ server: name, source: "machine", reason }))
    )
}

describe("a token that is bound to a key", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`goes with a proof of its own on each of ${CALLS} calls at once, and on all else (${era})`, () =>
      Effect.gen(function* () {
        const server = yield* BoundTokens.make(era)
        const { program } = yield* person(server)
        yield* Effect.gen(function* () {
          const connection = yield* connect
          const call = withCall(connection.callTool("echo", {}), OWNER)
          yield* Effect.all(
            Array.from({ length: CALLS }, () => call),
            { concurrency: "unbounded" }
          )
          const { record } = yield* stored(server)
          assert.isTrue(record?._tag === "SignedIn" && record.proofKey !== undefined)
          if (record?._tag !== "SignedIn" || record.proofKey === undefined) return
          const thumbprint = ProofKey.thumbprint(record.proofKey)
          assert.deepStrictEqual(new Set(proofsOf(server).map((proven) => proven.thumbprint)), new Set([thumbprint]))
          assert.deepStrictEqual(server.grants, [["authorization_code", thumbprint]])
          assert.deepStrictEqual(
            server.authorizations.map((parameters) => parameters.get("dpop_jkt")),
            [thumbprint]
          )
        }).pipe(Effect.scoped, Effect.provide(program({ query: "?tenant=a" })))
        assert.deepStrictEqual(server.violations, [])
        assert.isAtLeast(proofsOf(server).length, CALLS)
        const methods = new Set(server.seen.flatMap(({ method, proven }) => (proven === undefined ? [] : [method])))
        assert.deepStrictEqual(methods, new Set(era === "legacy" ? ["POST", "GET", "DELETE"] : ["POST"]))
        assert.deepStrictEqual(
          server.seen.filter(({ authorization, proven }) => (authorization === undefined) !== (proven === undefined)),
          []
        )
      })
    )
  }

  it.live("is renewed with the same key, which the next program finds too", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { tokenNonce: true })
      const { program } = yield* person(server)
      yield* Effect.scoped(echo).pipe(Effect.provide(program()))
      server.expire()
      yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
      server.expire()
      yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
      assert.deepStrictEqual(
        server.grants.map(([kind]) => kind),
        ["authorization_code", "refresh_token", "refresh_token"]
      )
      assert.strictEqual(new Set(server.grants.map(([, thumbprint]) => thumbprint)).size, 1)
      assert.strictEqual(new Set(proofsOf(server).map(({ thumbprint }) => thumbprint)).size, 1)
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("is had by a code for another device too", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { device: true, tokenNonce: true })
      const { program } = yield* person(server)
      const signIn = Layer.succeed(SignIn, {
        authorize: () => Effect.fail(new SignInFailed({ description: "there is no browser" })),
        device: ({ poll }) =>
          Effect.flatMap(poll, (answer) =>
            answer._tag === "Done"
              ? Effect.succeed(answer.value)
              : Effect.fail(new SignInFailed({ description: "nobody entered the code" }))
          )
      })
      yield* Effect.scoped(echo).pipe(Effect.provide(program({ signIn })))
      assert.deepStrictEqual(
        server.grants.map(([kind]) => kind),
        ["urn:ietf:params:oauth:grant-type:device_code"]
      )
      assert.isAbove(proofsOf(server).length, 0)
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("is had by a source of the runtime's own, for the client itself", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { asks: "metadata", nonce: "rotating" })
      const { program } = yield* person(server)
      yield* Effect.scoped(echo).pipe(Effect.provide(program({ sources: [machine] })))
      assert.deepStrictEqual(
        server.grants.map(([kind]) => kind),
        ["client_credentials"]
      )
      assert.isAbove(proofsOf(server).length, 0)
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("is asked for where the metadata of the server wants one, or a challenge beside Bearer offers it", () =>
    Effect.gen(function* () {
      for (const asks of ["metadata", "either"] as const) {
        const server = yield* BoundTokens.make("modern", { asks })
        const { program } = yield* person(server)
        yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
        assert.isAbove(proofsOf(server).length, 0)
        assert.deepStrictEqual(server.violations, [])
      }
    })
  )

  it.live("is asked for also where nothing may be sent before a sign-in", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      const servers = [entry({ url: server.url, auth: "oauth" })]
      yield* Effect.scoped(echo).pipe(Effect.provide(program({ servers })))
      assert.strictEqual(server.grants.length, 1)
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("is not asked for where the authorization server has none and the server takes others", () =>
    Effect.gen(function* () {
      for (const settings of [{ algorithms: undefined }, { binds: false }]) {
        const server = yield* BoundTokens.make("modern", { asks: "either", ...settings })
        const { program } = yield* person(server)
        yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
        assert.deepStrictEqual(
          server.seen.map(({ authorization, proof }) => [authorization?.split(" ")[0], proof]).at(-1),
          ["Bearer", undefined]
        )
      }
    })
  )

  for (const asks of ["challenge", "metadata"] as const) {
    it.live(`that cannot be had, though the server takes no other, fails the sign-in, and says why (${asks})`, () =>
      Effect.gen(function* () {
        const server = yield* BoundTokens.make("modern", { asks, algorithms: ["RS256", "none"] })
        const { program } = yield* person(server)
        const offered = yield* reasonOf(Effect.scoped(echo)).pipe(Effect.provide(program(), { local: true }))
        assert.include(headersFailed(offered), "offers none of the algorithms ES256")
        assert.deepStrictEqual(server.authorizations, [])
        Object.assign(server.settings, { algorithms: ["ES256"], binds: false })
        const unbound = yield* reasonOf(Effect.scoped(echo)).pipe(Effect.provide(program(), { local: true }))
        assert.include(headersFailed(unbound), "did not bind the token to a key")
        assert.isTrue(server.seen.every(({ authorization }) => authorization === undefined))
      })
    )
  }

  it.live("is signed in for where the server took others before", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { asks: "either", binds: false })
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* call
        Object.assign(server.settings, { asks: "challenge", binds: true })
        const grants = server.grants.length
        assert.include(headersFailed(yield* reasonOf(call)), "the server takes only tokens that are bound to a key")
        assert.strictEqual(server.grants.length, grants)
      }).pipe(Effect.scoped, Effect.provide(program(), { local: true }))
      yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
      assert.deepStrictEqual(server.violations, [])
      assert.isAbove(proofsOf(server).length, 0)
    })
  )
})

describe("a nonce of the server", () => {
  it.live("is sent once it was demanded, without another token, and from then on at once", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "demanded" })
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* Effect.all(
          Array.from({ length: CALLS }, () => call),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.scoped, Effect.provide(program()))
      assert.deepStrictEqual(server.violations, [])
      assert.strictEqual(server.grants.length, 1)
      assert.strictEqual(server.seen.filter(({ outcome }) => outcome === "use_dpop_nonce").length, 1)
    })
  )

  it.live("that comes with each answer is the one that is sent next", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "rotating" })
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        const before = server.seen.length
        for (let count = 0; count < 5; count += 1) yield* call
        const sent = server.seen.slice(before).map(({ outcome, proven }) => [outcome, proven?.nonce])
        assert.deepStrictEqual(
          sent.map(([outcome]) => outcome),
          Array.from({ length: 5 }, () => "answered")
        )
        assert.strictEqual(new Set(sent.map(([, nonce]) => nonce)).size, 5)
        server.expire()
        yield* call
        assert.strictEqual(server.seen.at(-1)?.outcome, "answered")
        assert.notInclude(
          server.seen.slice(before).map(({ outcome }) => outcome),
          "use_dpop_nonce"
        )
      }).pipe(Effect.scoped, Effect.provide(program()))
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("that is refused as soon as it is sent ends the request after two attempts; no token is asked for", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        server.settings.nonce = "refused"
        const before = server.seen.length
        const reason = yield* reasonOf(withCall(connection.callTool("echo", {}), OWNER))
        assert.strictEqual(reason._tag, "Unauthorized")
        assert.strictEqual(server.seen.length - before, 2)
        assert.strictEqual(server.grants.length, 1)
      }).pipe(Effect.scoped, Effect.provide(program()))
    })
  )

  it.live("or another proof that the server finds wrong costs no token either", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        server.settings.answer = (_, response) =>
          response.writeHead(401, { "www-authenticate": 'DPoP error="invalid_dpop_proof"' }).end()
        const before = server.seen.length
        const reason = yield* reasonOf(withCall(connection.callTool("echo", {}), OWNER))
        assert.deepInclude(reason, { _tag: "Unauthorized", source: "oauth" })
        assert.include(reason._tag === "Unauthorized" ? reason.description : "", "invalid_dpop_proof")
        assert.strictEqual(server.seen.length - before, 1)
        assert.strictEqual(server.grants.length, 1)
      }).pipe(Effect.scoped, Effect.provide(program()))
    })
  )
})
