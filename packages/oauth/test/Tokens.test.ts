/** What is remembered of those who are signed in, where they are many. */
import { assert, describe, it } from "@effect/vitest"
import { layerMemory, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { CAPACITY } from "@letterhead/core/RecentlyUsed"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import * as Tokens from "@letterhead/oauth/token/Tokens"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const SERVER = new URL("https://mcp.test/mcp")

const keyOf = (principal: string) => TokenRecord.keyOf("crm", SERVER, principal)

const issued = (accessToken: string): TokenRecord.IssuedTokens => ({
  accessToken: Redacted.make(accessToken),
  refreshToken: Redacted.make(`of ${accessToken}`),
  tokenType: "Bearer"
})

/** Somebody who is signed in, and whose token is held. */
const signedIn = Effect.gen(function* () {
  const store = yield* SecretStore
  const tokens = yield* Tokens.make
  const bound = { issuer: "https://as.test", resource: SERVER.href, clientId: "c", serverUrl: SERVER.href }
  const key = keyOf("ada")
  yield* store.set(key, TokenRecord.encode(TokenRecord.issued(issued("first"), bound, 0)))
  yield* tokens.load(key)
  const others = Effect.forEach(
    Array.from({ length: CAPACITY + 1 }, (_, index) => keyOf(`other ${index}`)),
    tokens.load,
    { discard: true }
  )
  return { tokens, key, others }
})

describe("what is known of those who are signed in", () => {
  it.effect("is forgotten where there are too many, but not to who holds it", () =>
    Effect.gen(function* () {
      const { key, others, tokens } = yield* signedIn
      const { generation } = tokens.held(key)
      yield* others
      assert.strictEqual(tokens.held(keyOf("ada")).record, undefined)
      assert.strictEqual(tokens.held(key).generation, generation)
      yield* tokens.load(keyOf("ada"))
      assert.isAbove(tokens.held(keyOf("ada")).generation, generation)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("stays while a token is renewed, which is done once for all", () =>
    Effect.gen(function* () {
      const { key, others, tokens } = yield* signedIn
      const { generation } = tokens.held(key)
      const released = yield* Deferred.make<void>()
      let refreshes = 0
      const refresh = () => {
        refreshes += 1
        return Effect.as(Deferred.await(released), issued("second"))
      }
      const first = yield* Effect.forkChild(tokens.renew(key, generation, refresh), { startImmediately: true })
      yield* others
      const second = yield* Effect.forkChild(tokens.renew(keyOf("ada"), generation, refresh), {
        startImmediately: true
      })
      yield* Deferred.succeed(released, undefined)
      assert.isTrue(Option.isSome(yield* Fiber.join(first)))
      assert.isTrue(Option.isSome(yield* Fiber.join(second)))
      assert.strictEqual(refreshes, 1)
    }).pipe(Effect.provide(layerMemory))
  )
})
