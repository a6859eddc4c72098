/** Tokens of entries whose grant needs no person, bound to a key where the server asks for that. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { Grant } from "@letterhead/core/server/ServerEntry"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry, type EntryOptions, type Written } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import * as BoundTokens from "./support/BoundTokens.ts"
import { OWNER, type Server, person, connect, echo, reasonOf, headersFailed, proofsOf } from "./support/BoundPerson.ts"

const CALLS = 100

const CREDENTIALS = { clientId: "workload", clientSecret: "secret", grant: { type: "client_credentials" } } as const

const ASSERTIONS: ReadonlyArray<(server: Server) => Written<Grant>> = [
  () => ({ type: "jwt_bearer", assertion: "of.the.workload" }),
  ({ origin }) => ({
    type: "id_jag",
    idToken: "of.the.person",
    identityProvider: { issuer: origin, tokenEndpoint: `${origin}/idp/token`, clientId: "at-idp" }
  })
]

const entryOf = (server: Server, options: EntryOptions = {}) =>
  entry({ url: server.url, auth: "oauth", oauth: CREDENTIALS, ...options })

/** One program in which nobody can be asked. */
const workload = (server: Server, configured = entryOf(server)) =>
  Effect.map(person(server), ({ program }) => program({ servers: [configured], signIn: layerNever }))

const thumbprintsOf = (server: Server) => [...new Set(proofsOf(server).map(({ thumbprint }) => thumbprint))]

const schemesOf = (server: Server) => new Set(server.seen.map(({ authorization }) => authorization?.split(" ")[0]))

describe("a token by a grant without a person", () => {
  for (const auth of ["oauth", "auto"] as const) {
    it.live(`is bound, one for ${CALLS} calls at once, each with a proof of its own (auth: ${auth})`, () =>
      Effect.gen(function* () {
        const server = yield* BoundTokens.make()
        const configured = entryOf(server, { auth })
        yield* Effect.gen(function* () {
          const connection = yield* connect
          const call = withCall(connection.callTool("echo", {}), OWNER)
          yield* Effect.all(
            Array.from({ length: CALLS }, () => call),
            { concurrency: "unbounded" }
          )
          const [field] = yield* (yield* HeaderResolver).explain(configured, {
            ...OWNER,
            method: "tools/call",
            callId: "c"
          })
          assert.include(field?.declared ?? "", "with a proof for each request")
        }).pipe(Effect.scoped, Effect.provide(yield* workload(server, configured)))
        // Among what the server objects to is a proof that came twice.
        assert.deepStrictEqual(server.violations, [])
        assert.isAtLeast(proofsOf(server).length, CALLS)
        const [thumbprint] = thumbprintsOf(server)
        assert.deepStrictEqual(server.grants, [["client_credentials", thumbprint]])
      })
    )
  }

  it.live("is bound also where it is for an assertion; an identity provider is shown no key", () =>
    Effect.gen(function* () {
      for (const grantOf of ASSERTIONS) {
        const server = yield* BoundTokens.make("modern", { asks: "metadata" })
        const oauth = { clientId: "workload", grant: grantOf(server) }
        yield* Effect.scoped(echo).pipe(
          Effect.provide(yield* workload(server, entryOf(server, { oauth })), { local: true })
        )
        assert.deepStrictEqual(server.violations, [])
        assert.deepStrictEqual(server.grants, [
          ["urn:ietf:params:oauth:grant-type:jwt-bearer", thumbprintsOf(server)[0]]
        ])
      }
    })
  )

  it.live("is renewed with the same key, whether it was refused or has expired; each principal has its own", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "rotating", tokenNonce: true })
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* call
        server.settings.expiresIn = 0
        server.expire()
        yield* call
        const before = server.grants.length
        yield* call
        assert.isAbove(server.grants.length, before)
        assert.strictEqual(new Set(server.grants.map(([, thumbprint]) => thumbprint)).size, 1)
        assert.deepStrictEqual([server.grants[0]?.[1]], thumbprintsOf(server))
        const bob = { principal: "bob", sessionId: "s-2" }
        const other = yield* (yield* McpTransport).connect("example", bob)
        yield* withCall(other.callTool("echo", {}), bob)
        assert.strictEqual(thumbprintsOf(server).length, 2)
      }).pipe(Effect.scoped, Effect.provide(yield* workload(server)))
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("keeps its key where the server says nothing of keys when it refuses the token", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { asks: "either" })
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* call
        server.settings.answer = (_, response) => {
          server.settings.answer = undefined
          response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end()
        }
        yield* call
      }).pipe(Effect.scoped, Effect.provide(yield* workload(server)))
      assert.deepStrictEqual(server.violations, [])
      assert.strictEqual(server.grants.length, 2)
      assert.strictEqual(new Set(server.grants.map(([, thumbprint]) => thumbprint)).size, 1)
    })
  )

  it.live("goes with the nonce of the server once that was demanded, without another token", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "demanded", tokenNonce: true })
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* Effect.all(
          Array.from({ length: CALLS }, () => call),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.scoped, Effect.provide(yield* workload(server)))
      assert.deepStrictEqual(server.violations, [])
      assert.strictEqual(server.grants.length, 1)
      assert.strictEqual(server.seen.filter(({ outcome }) => outcome === "use_dpop_nonce").length, 1)
    })
  )

  it.live("whose proof the server finds wrong is asked for no second time", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      yield* Effect.gen(function* () {
        const connection = yield* connect
        server.settings.answer = (_, response) =>
          response.writeHead(401, { "www-authenticate": 'DPoP error="invalid_dpop_proof"' }).end()
        const before = server.seen.length
        const reason = yield* reasonOf(withCall(connection.callTool("echo", {}), OWNER))
        assert.strictEqual(reason._tag, "Unauthorized")
        assert.strictEqual(server.seen.length - before, 1)
        assert.strictEqual(server.grants.length, 1)
      }).pipe(Effect.scoped, Effect.provide(yield* workload(server)))
    })
  )

  it.live("is not bound where that cannot be had and the server takes others", () =>
    Effect.gen(function* () {
      for (const settings of [{ algorithms: undefined }, { binds: false }] as const) {
        const server = yield* BoundTokens.make("modern", { asks: "either", ...settings })
        yield* Effect.scoped(echo).pipe(Effect.provide(yield* workload(server), { local: true }))
        assert.deepStrictEqual(schemesOf(server), new Set([undefined, "Bearer"]))
        assert.deepStrictEqual(proofsOf(server), [])
      }
    })
  )

  it.live("is bound from the request on at which the server no longer takes another", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { asks: "either", binds: false })
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* call
        assert.deepStrictEqual(proofsOf(server), [])
        Object.assign(server.settings, { asks: "challenge", binds: true })
        yield* call
        assert.strictEqual(thumbprintsOf(server).length, 1)
      }).pipe(Effect.scoped, Effect.provide(yield* workload(server)))
      assert.deepStrictEqual(server.violations, [])
      assert.strictEqual(server.grants.length, 2)
    })
  )

  it.live("that is bound though no key was shown is not sent", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { asks: "either", algorithms: undefined, binds: "unasked" })
      const reason = yield* reasonOf(Effect.scoped(echo)).pipe(Effect.provide(yield* workload(server)))
      assert.include(headersFailed(reason), "it gave a token that is bound to a key, and no key was shown to it")
      assert.deepStrictEqual(schemesOf(server), new Set([undefined]))
    })
  )

  for (const asks of ["challenge", "metadata"] as const) {
    it.live(`that has to be bound and cannot be fails, and says what to do, which is not to sign in (${asks})`, () =>
      Effect.gen(function* () {
        const server = yield* BoundTokens.make("modern", { asks, algorithms: ["RS256", "none"] })
        const failed = Effect.map(
          Effect.flatMap(workload(server), (program) =>
            Effect.provide(reasonOf(Effect.scoped(echo)), program, { local: true })
          ),
          (reason) => {
            assert.notInclude(inspect(reason, { depth: 9 }), `"d"`)
            return headersFailed(reason)
          }
        )
        const offered = yield* failed
        assert.include(offered, "offers none of the algorithms ES256")
        assert.deepStrictEqual(server.grants, [])
        Object.assign(server.settings, { algorithms: ["ES256"], binds: false })
        const unbound = yield* failed
        assert.include(unbound, "did not bind the token to a key")
        for (const message of [offered, unbound]) {
          assert.include(message, "tell whoever runs it")
          assert.notMatch(message, /\bsign(?:ing)? in\b|letterhead login/)
          assert.include(message, "getting a token failed: ")
        }
        assert.deepStrictEqual(schemesOf(server), new Set([undefined]))
      })
    )
  }
})
