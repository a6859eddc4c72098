import { assert, describe, it } from "@effect/vitest"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as MockTrustStore from "@letterhead/testing/mocks/MockTrustStore"
import * as Effect from "effect/Effect"

describe("MockTrustGate", () => {
  it.effect("layerPermitAll lets a project entry that nobody approved pass", () =>
    Effect.gen(function* () {
      const permit = yield* (yield* TrustGate).require(entry({ scope: "project" }))
      yield* permit.verify
      assert.deepStrictEqual(permit.passEnv, [])
    }).pipe(Effect.provide(MockTrustGate.layerPermitAll))
  )

  it.effect("layerDenyAll refuses a user entry too, naming it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* TrustGate).require(entry({ name: "linear", scope: "user" })))
      assert.strictEqual(error.reason._tag, "NotTrusted")
      assert.include(error.message, "linear")
      assert.include(error.message, MockTrustGate.DIGEST)
    }).pipe(Effect.provide(MockTrustGate.layerDenyAll))
  )
})

describe("MockTrustStore", () => {
  const subject: TrustSubject = {
    server: "linear",
    scope: "project",
    configuration: "/repository/.mcp.json",
    lines: [["command", "/bin/true"]],
    files: [],
    digest: MockTrustGate.DIGEST
  }

  it.effect("layerApproveAll has approved what it never saw", () =>
    Effect.gen(function* () {
      const store = yield* TrustStore
      const decision = yield* store.check(subject)
      assert.strictEqual(decision._tag, "Approved")
      assert.deepStrictEqual(yield* store.list, [])
      assert.isFalse(yield* store.revoke(subject))
      assert.deepStrictEqual((yield* store.approve(subject, { passEnv: ["TOKEN"] })).passEnv, ["TOKEN"])
    }).pipe(Effect.provide(MockTrustStore.layerApproveAll))
  )

  it.effect("layerMemory remembers what was approved, and layerDenyAll nothing", () =>
    Effect.gen(function* () {
      const approveAndCheck = Effect.gen(function* () {
        const store = yield* TrustStore
        const before = yield* store.check(subject)
        yield* Effect.ignore(store.approve(subject))
        return [before._tag, (yield* store.check(subject))._tag]
      })
      assert.deepStrictEqual(yield* Effect.provide(approveAndCheck, MockTrustStore.layerMemory), [
        "NeverApproved",
        "Approved"
      ])
      assert.deepStrictEqual(yield* Effect.provide(approveAndCheck, MockTrustStore.layerDenyAll), [
        "NeverApproved",
        "NeverApproved"
      ])
    })
  )
})
