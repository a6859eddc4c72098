import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { none } from "@letterhead/core/headers/ResolvedHeaders"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { nothingSoFar, Rank } from "@letterhead/core/sources/HeaderSource"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"

const low = MockHeaderSources.source({ id: "low", headers: (call) => ({ "X-Who": "low", "X-User": call.principal }) })
const high = MockHeaderSources.source({ id: "high", rank: Rank.hook, headers: () => ({ "x-who": "high" }) })

describe("MockHeaderSources", () => {
  it.effect("feeds the real resolver, which ranks the sources", () =>
    Effect.gen(function* () {
      const resolver = yield* HeaderResolver.HeaderResolver
      const headers = yield* resolver.open(entry(), local)
      const resolved = yield* headers.resolve({ principal: "anna" })
      assert.deepStrictEqual(resolved.reveal(), [
        ["x-who", "high"],
        ["X-User", "anna"]
      ])
      assert.deepStrictEqual(resolved.get("x-who")?.shadowed, [{ source: "low", declared: "mock source low" }])
    }).pipe(
      Effect.provide(
        HeaderResolver.layer.pipe(
          Layer.provide([
            MockHeaderSources.layer([high, low]),
            MockTrustGate.layerPermitAll,
            FileSystem.layerNoop({}),
            Path.layer
          ])
        )
      )
    )
  )

  it.effect("checks the fields of its sources as those of any source", () =>
    Effect.gen(function* () {
      const broken = MockHeaderSources.source({ id: "broken", headers: () => ({ "Mcp-Session-Id": "1" }) })
      const error = yield* Effect.flip(broken.resolve(entry(), local, nothingSoFar))
      assert.strictEqual(error.reason._tag, "HeaderForbidden")
      assert.strictEqual(error.source, "broken")
    })
  )

  it.effect("takes challenges where it is told to", () =>
    Effect.gen(function* () {
      assert.isUndefined(low.challenge)
      const renewing = MockHeaderSources.source({ id: "renewing", headers: () => ({}), renews: true })
      assert.isTrue(yield* renewing.challenge?.(entry(), local, none, { status: 401 }) ?? Effect.succeed(false))
    })
  )
})
