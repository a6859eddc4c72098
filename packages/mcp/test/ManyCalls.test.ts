/** The test: a thousand calls of many sessions at once, and what stood on the wire. */
import { withCall } from "@letterhead/core/call/CallContext"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Harness from "./support/Harness.ts"

const CALLS = 1_000
const SESSIONS = 20
const PRINCIPALS = ["ada", "bob", "cleo"] as const
/** Every so many calls, one is slow and is given up. */
const CANCEL_EVERY = 10
const IN_FLIGHT = 100
const MANY_CALLS_TIMEOUT = 120_000

const sessions = Array.from({ length: SESSIONS }, (_, index) => ({
  sessionId: `session-${index}`,
  principal: PRINCIPALS[index % PRINCIPALS.length] ?? "ada"
}))

/** The tokens of each principal expire once, in the middle. */
const token = (generation: number, principal: string) => `${principal}-${generation}`

describe("F48: 1,000 interleaved calls of 20 sessions of 3 principals", () => {
  for (const { era, responses } of Harness.cases) {
    it.live(
      `${era}, ${responses}: every request carries its own session's headers, through one connection per principal`,
      () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era, responses, resolver: { token } })
          const { server, transport } = harness

          const call = Effect.fnUntraced(function* (index: number, sessionId: string) {
            const connection = yield* transport.connect("example")
            if (index % CANCEL_EVERY !== 0) {
              const result = yield* connection.callTool("echo", { session: sessionId, index })
              const [content] = result.content
              assert.deepStrictEqual(content?.type === "text" ? JSON.parse(content.text) : undefined, {
                session: sessionId,
                index
              })
              return
            }
            const slow = yield* Effect.forkChild(connection.callTool("slow", { session: sessionId, ms: 60_000, index }))
            yield* Harness.until(
              Effect.map(server.requests, (requests) =>
                requests.some(({ arguments: given, status }) => given?.["index"] === index && status !== 401)
              )
            )
            yield* Fiber.interrupt(slow)
          })

          yield* Effect.scoped(
            Effect.gen(function* () {
              // Somebody holds each connection, as a runtime does.
              for (const principal of PRINCIPALS) yield* transport.connect("example", { principal })
              yield* Effect.forEach(
                Array.from({ length: CALLS }, (_, index) => index),
                (index) =>
                  Effect.gen(function* () {
                    if (index === CALLS / 2) {
                      for (const principal of PRINCIPALS) yield* server.tokens.accept(token(2, principal))
                      yield* server.tokens.demand
                    }
                    const session = sessions[(index * 7) % SESSIONS] ?? { sessionId: "none", principal: "ada" }
                    yield* withCall(Effect.scoped(call(index, session.sessionId)), session)
                  }),
                { concurrency: IN_FLIGHT }
              )
              yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size <= 2)))
            })
          )

          const requests = yield* server.requests
          assert.deepStrictEqual(Harness.crossed(requests), [])
          const answered = requests.filter(({ rpcMethod, status }) => rpcMethod === "tools/call" && status !== 401)
          assert.strictEqual(answered.length, CALLS)
          assert.strictEqual(new Set(answered.map((request) => request.arguments?.["index"])).size, CALLS)
          assert.deepStrictEqual(new Set(answered.map((request) => request.sessionMark)).size, SESSIONS)
          // One connection and one renewal for each principal.
          assert.strictEqual(harness.resolver.opened, PRINCIPALS.length)
          assert.strictEqual(harness.resolver.renewals, PRINCIPALS.length)
          assert.ok(requests.some(({ status }) => status === 401))
          const cancellations = requests.filter(({ rpcMethod }) => rpcMethod === "notifications/cancelled")
          assert.strictEqual(
            cancellations.filter(({ status }) => status !== 401).length,
            era === "legacy" ? CALLS / CANCEL_EVERY : 0
          )
          yield* Harness.until(
            Effect.map(server.slowCalls, (calls) => calls.every(({ outcome }) => outcome === "cancelled"))
          )
          assert.deepStrictEqual(
            harness.correlations.map(({ size }) => size),
            [0, 0, 0]
          )
        }),
      MANY_CALLS_TIMEOUT
    )
  }
})
