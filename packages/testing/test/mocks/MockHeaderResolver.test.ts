import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockHeaderResolver from "@letterhead/testing/mocks/MockHeaderResolver"
import * as Effect from "effect/Effect"

describe("MockHeaderResolver", () => {
  it.effect("resolves what it was given for each call, and tells what it was asked", () =>
    Effect.gen(function* () {
      const resolver = yield* HeaderResolver
      const headers = yield* resolver.open(entry({ name: "linear", url: "https://linear.example/mcp" }), local)
      assert.strictEqual(headers.url.href, "https://linear.example/mcp")

      const call = { principal: "local", sessionId: "s-1" }
      const resolved = yield* headers.resolve(call)
      assert.deepStrictEqual(resolved.reveal(), [["X-Session", "s-1"]])
      assert.strictEqual(resolved.get("x-session")?.source, MockHeaderResolver.SOURCE)
      assert.strictEqual(yield* headers.challenge(call, resolved, { status: 401 }), "give up")
      yield* headers.reconnect

      const { calls } = yield* MockHeaderResolver.MockHeaderResolver
      assert.deepStrictEqual(yield* calls, [
        { _tag: "Open", server: "linear", owner: local },
        { _tag: "Resolve", server: "linear", call },
        { _tag: "Challenge", server: "linear", call, response: { status: 401 } },
        { _tag: "Reconnect", server: "linear" }
      ])
    }).pipe(Effect.provide(MockHeaderResolver.layer((call) => ({ "X-Session": call.sessionId ?? "none" }))))
  )

  it.effect("retries where it is told to, and explains the same headers", () =>
    Effect.gen(function* () {
      const resolver = yield* HeaderResolver
      const headers = yield* resolver.open(entry(), local)
      const resolved = yield* headers.resolve(local)
      assert.strictEqual(yield* headers.challenge(local, resolved, { status: 401 }), "retry")
      assert.deepStrictEqual(
        (yield* resolver.explain(entry(), local)).map(({ name }) => name),
        ["X-Fixed"]
      )
    }).pipe(Effect.provide(MockHeaderResolver.layer({ "X-Fixed": "1" }, { challenge: "retry" })))
  )

  it.effect("fails on a field that no source may set, and on a URL that is none", () =>
    Effect.gen(function* () {
      const resolver = yield* HeaderResolver
      const headers = yield* resolver.open(entry(), local)
      assert.strictEqual((yield* Effect.flip(headers.resolve(local))).reason._tag, "HeaderForbidden")
      const error = yield* Effect.flip(resolver.open(entry({ url: "/mcp" }), local))
      assert.strictEqual(error.reason._tag, "UrlInvalid")
    }).pipe(Effect.provide(MockHeaderResolver.layer({ Host: "elsewhere" })))
  )
})
