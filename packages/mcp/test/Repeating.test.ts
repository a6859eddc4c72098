/** Calls whose answer was lost after it had begun. */
import { assert, describe, it } from "@effect/vitest"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"
const callsOf = ({ server }: Harness.Harness) => Effect.map(server.requests, (requests) => requests.filter(isCall))

describe("a call whose stream broke", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`F57: is made again where its caller says that twice is the same as once (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses: "sse" })
        const connection = yield* harness.connect
        yield* harness.server.respondNext({ close: "after headers", when: isCall, times: 2 })
        const { content } = yield* connection
          .callTool("echo", { session: "one" }, { idempotent: true })
          .pipe(Harness.asSession("one"))
        assert.deepStrictEqual(content, [{ type: "text", text: '{"session":"one"}' }])
        const calls = yield* callsOf(harness)
        assert.strictEqual(calls.length, 3)
        assert.strictEqual(new Set(calls.map(({ rpcId }) => rpcId)).size, 3)
        assert.deepStrictEqual(Harness.crossed(calls), [])
        yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
      })
    )

    it.live(`F57: is given up after the third time (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses: "sse" })
        const connection = yield* harness.connect
        yield* harness.server.respondNext({ close: "after headers", when: isCall, times: 5 })
        const call = connection.callTool("echo", {}, { idempotent: true }).pipe(Harness.asSession("one"))
        assert.strictEqual((yield* Harness.reasonOf(call))._tag, "ConnectionClosed")
        assert.strictEqual((yield* callsOf(harness)).length, 3)
      })
    )

    it.live(`F57: is made once where its caller does not (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses: "sse" })
        const connection = yield* harness.connect
        yield* harness.server.respondNext({ close: "after headers", when: isCall })
        const call = connection.callTool("echo", {}).pipe(Harness.asSession("one"))
        assert.strictEqual((yield* Harness.reasonOf(call))._tag, "ConnectionClosed")
        assert.strictEqual((yield* callsOf(harness)).length, 1)
      })
    )
  }

  it.live("has for all its attempts the time of one", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", responses: "sse", limits: { backOff: 60_000 } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ close: "after headers", when: isCall })
      const call = connection.callTool("echo", {}, { idempotent: true, timeout: 300 }).pipe(Harness.asSession("one"))
      assert.strictEqual((yield* Harness.reasonOf(call))._tag, "ConnectionClosed")
      assert.strictEqual((yield* callsOf(harness)).length, 1)
    })
  )
})
