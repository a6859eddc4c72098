/** The runtime's own client, of either SDK, over a transport of ours. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const ADA = { principal: "ada" }

const open = Effect.fnUntraced(function* (
  options: (typeof Clients.cases)[number],
  more: Partial<Harness.HarnessOptions> = {}
) {
  const harness = yield* Harness.make({ ...options, ...more })
  const client = yield* Clients.connect(options.client, harness.transport, ADA)
  return { ...harness, client }
})

const nothingHeld = ({ correlations }: Harness.Harness) =>
  Harness.until(Effect.sync(() => correlations.every(({ size }) => size === 0)))

for (const options of Clients.cases) {
  describe(`${options.client}, ${options.era}, ${options.responses}`, () => {
    it.live("each call carries the headers of its session, everything else those of the connection", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Clients.connect(options.client, harness.transport, ADA)
            yield* Effect.forEach(
              ["one", "two", "three"],
              (session) =>
                McpTransport.call((request) => client.callTool("echo", { session }, request)).pipe(
                  Harness.asSession(session)
                ),
              { concurrency: "unbounded" }
            )
            yield* Effect.promise(() => client.callTool("echo", {}))
          })
        )
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        const calls = requests.filter(({ rpcMethod }) => rpcMethod === "tools/call")
        assert.deepStrictEqual(
          new Set(calls.map(({ headers }) => headers.get("x-session"))),
          new Set([ownerMark("ada"), "one", "two", "three"])
        )
        assert.strictEqual(calls.length, 4)
        yield* nothingHeld(harness)
      })
    )

    it.live("an interrupted call is cancelled at the server, with its own headers", () =>
      Effect.gen(function* () {
        const harness = yield* open(options)
        const { client, server } = harness
        const slow = yield* McpTransport.call((request) =>
          client.callTool("slow", { session: "one", ms: 60_000 }, request)
        ).pipe(Harness.asSession("one"), Effect.forkChild)
        yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
        yield* Fiber.interrupt(slow)
        yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
        assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
        const cancellations = (yield* server.requests).filter(
          ({ rpcMethod }) => rpcMethod === "notifications/cancelled"
        )
        assert.strictEqual(cancellations.length, options.era === "legacy" ? 1 : 0)
      })
    )

    it.live("a call of another principal is refused before anything is sent", () =>
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        yield* server.clear
        const reason = yield* Harness.reasonOf(
          McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(
            Harness.asSession("one", { principal: "bob" })
          )
        )
        assert.deepInclude(reason, { _tag: "PrincipalMismatch", connection: "ada", call: "bob" })
        const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
        assert.deepStrictEqual(calls, [])
      })
    )
  })
}
