import { assert, describe, it } from "@effect/vitest"
import { ServerUnknown } from "@letterhead/core/server/ConfigError"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockMcpConfig from "@letterhead/testing/mocks/MockMcpConfig"
import * as Effect from "effect/Effect"

describe("MockMcpConfig", () => {
  const linear = entry({ name: "linear" })
  const skipped = {
    name: "broken",
    origin: linear.origin,
    reason: new ServerUnknown({ server: "broken", known: [] })
  }

  it.effect("knows the entries it was given, and those it was told to skip", () =>
    Effect.gen(function* () {
      const config = yield* McpConfig
      assert.strictEqual(yield* config.get("linear"), linear)
      assert.strictEqual((yield* Effect.flip(config.get("broken"))).reason._tag, "ServerSkipped")
      assert.strictEqual((yield* Effect.flip(config.get("other"))).reason._tag, "ServerUnknown")
    }).pipe(Effect.provide(MockMcpConfig.layer([linear], { skipped: [skipped] })))
  )
})
