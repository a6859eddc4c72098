/** The token of whoever calls, exchanged for one of the server (RFC 8693). */
import { assert, describe, it } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import { entry as entryFixture } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as LoopbackServer from "./support/LoopbackServer.ts"
import { layer, open, send } from "./support/Signing.ts"

const caller = (token: string, principal = "ada"): CallContext => ({
  principal,
  incoming: [{ name: "Authorization", value: Redacted.make(`Bearer ${token}`) }]
})

/** An identity provider, and a server that takes what it gives until `refused` says otherwise. */
const make = (expiresIn: number | undefined = 3_600) =>
  Effect.gen(function* () {
    const exchanges: Array<URLSearchParams> = []
    const seen: Array<string> = []
    const refused = new Set<string>()
    const server = yield* LoopbackServer.make((request, response) => {
      if (request.path === "/token") {
        const parameters = new URLSearchParams(request.body)
        exchanges.push(parameters)
        const issued = {
          access_token: `for-${parameters.get("subject_token") ?? ""}-${exchanges.length}`,
          issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
          token_type: "Bearer",
          ...(expiresIn === undefined ? {} : { expires_in: expiresIn })
        }
        const isKnown = parameters.get("subject_token") !== "unknown"
        response.writeHead(isKnown ? 200 : 400, { "content-type": "application/json" })
        return response.end(JSON.stringify(isKnown ? issued : { error: "invalid_request" }))
      }
      const token = request.headers.authorization ?? ""
      seen.push(token)
      return response.writeHead(refused.has(token) ? 401 : 200).end()
    })
    const settings = entryFixture({
      url: `${server.origin}/mcp`,
      auth: "oauth",
      oauth: {
        clientId: "vmcp",
        clientSecret: "secret",
        scopes: ["read"],
        exchange: { tokenUrl: `${server.origin}/token`, audience: "tools" }
      }
    })
    return { entry: settings, exchanges, seen, refused, received: server.received }
  })

describe("a caller's token", () => {
  it.live("is exchanged once for calls with the same one, and for each caller apart", () =>
    Effect.gen(function* () {
      const { entry, exchanges, received, seen } = yield* make()
      const ada = yield* open(entry, caller("a"))
      const calls = Array.from({ length: 20 }, (_, index) => send(ada, caller(index % 2 === 0 ? "a" : "b")))
      assert.deepStrictEqual(new Set(yield* Effect.all(calls, { concurrency: "unbounded" })), new Set([200]))
      const bob = yield* open(entry, caller("a", "bob"))
      yield* send(bob, caller("a", "bob"))
      assert.strictEqual(exchanges.length, 3)
      assert.deepStrictEqual(new Set(seen).size, 3)
      const [first] = exchanges
      assert.strictEqual(first?.get("grant_type"), "urn:ietf:params:oauth:grant-type:token-exchange")
      assert.strictEqual(first?.get("audience"), "tools")
      assert.strictEqual(first?.get("scope"), "read")
      // The subject token goes to the token endpoint alone.
      const elsewhere = received.filter(({ path }) => path !== "/token")
      assert.isFalse(elsewhere.some(({ body, headers }) => /Bearer [ab]$/.test(headers.authorization ?? body)))
    }).pipe(Effect.provide(layer()))
  )

  it.live("is exchanged anew where the server refuses what it was exchanged for", () =>
    Effect.gen(function* () {
      const { entry, exchanges, refused } = yield* make()
      const connection = yield* open(entry, caller("a"))
      assert.strictEqual(yield* send(connection, caller("a")), 200)
      refused.add("Bearer for-a-1")
      assert.strictEqual(yield* send(connection, caller("a")), 200)
      assert.strictEqual(exchanges.length, 2)
      refused.add("Bearer for-a-2").add("Bearer for-a-3")
      assert.strictEqual(yield* send(connection, caller("a")), 401)
    }).pipe(Effect.provide(layer()))
  )

  it.live("that is not there, or not taken, is an error, and nothing is sent to the server", () =>
    Effect.gen(function* () {
      const { entry, seen } = yield* make()
      const connection = yield* open(entry, { principal: "ada" })
      const tagOf = (call: CallContext) => Effect.map(Effect.flip(send(connection, call)), ({ reason }) => reason._tag)
      assert.strictEqual(yield* tagOf({ principal: "ada" }), "IncomingMissing")
      assert.strictEqual(yield* tagOf(caller("a, Bearer b")), "HeaderInvalid")
      const unknown = yield* Effect.flip(send(connection, caller("unknown")))
      assert.strictEqual(unknown.reason._tag, "SignInFailed")
      assert.include(unknown.message, "getting a token failed: ")
      assert.notInclude(unknown.message, "unknown-")
      assert.strictEqual((yield* Effect.flip(connection.signIn({ principal: "ada" }))).reason._tag, "SignInFailed")
      assert.deepStrictEqual(seen, [])
    }).pipe(Effect.provide(layer()))
  )
})
