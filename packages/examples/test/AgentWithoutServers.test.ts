/** How the author of a runtime tests it: the layers are swapped for mocks, and nothing is there but the runtime. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { MockMcpTransport } from "@letterhead/testing/mocks/MockMcpTransport"
import * as Effect from "effect/Effect"
import * as Letterhead from "letterhead/Letterhead"
import * as CurrentSdk from "../src/CurrentSdk.ts"

const mocks = Letterhead.layerTest({
  servers: {
    notes: { tools: { whoami: (_args, call) => `${call.principal} in ${call.sessionId}` } }
  }
})

describe("a runtime over mocks", () => {
  it.effect("is told of the call that was made, and whose it was", () =>
    Effect.gen(function* () {
      const connection = yield* (yield* McpTransport).connect("notes", { principal: "ada" })
      yield* withCall(connection.callTool("whoami"), { principal: "ada", sessionId: "monday" })
      const { calls } = yield* MockMcpTransport
      assert.deepStrictEqual(
        (yield* calls).map(({ call, server }) => [server, call.principal, call.sessionId, call.tool]),
        [["notes", "ada", "monday", "whoami"]]
      )
    }).pipe(Effect.scoped, Effect.provide(mocks))
  )

  it.effect("its own client of an SDK works on the mocks as on a server", () =>
    Effect.gen(function* () {
      const results = yield* CurrentSdk.callInSessions("notes", "whoami", ["monday", "tuesday"])
      assert.deepStrictEqual(
        results.flatMap(({ content }) => content.map((part) => (part.type === "text" ? part.text : part.type))),
        ["local in monday", "local in tuesday"]
      )
    }).pipe(Effect.provide(mocks))
  )
})
