/** What carries the messages of the runtime's own client over a transport of ours, and how that ends. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { ADA, forEachCase, isCall, isCancellation, nothingHeld, open, SESSIONS } from "./support/ClientCases.ts"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"

describe("what carries the messages", () => {
  for (const client of ["SDK 1", "SDK 2"] as const) {
    it.live(
      `may be HTTP+SSE, where the server speaks nothing else: each POST has the headers of its call (${client})`,
      () =>
        Effect.gen(function* () {
          const server = yield* LoopbackSseServer.make()
          const harness = yield* Harness.make({ era: "legacy", url: server.url, type: "auto" })
          const runtime = yield* Clients.connect(client, harness.transport, ADA)
          yield* Effect.forEach(
            SESSIONS,
            (session) =>
              McpTransport.call((request) => runtime.callTool("echo", { session }, request)).pipe(
                Harness.asSession(session)
              ),
            { concurrency: "unbounded" }
          )
          const slow = yield* McpTransport.call((request) =>
            runtime.callTool("slow", { session: "one", ms: 60_000 }, request)
          ).pipe(Harness.asSession("one"), Effect.forkChild)
          yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
          yield* Fiber.interrupt(slow)
          yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
          const requests = yield* server.requests
          assert.deepStrictEqual(Harness.crossed(requests), [])
          assert.strictEqual(requests.filter(isCancellation).length, 1)
          assert.isTrue(requests.filter(isCall).every(({ path }) => path.startsWith("/messages")))
        })
    )

    it.live(
      `may be a new session, where the server forgot the old one, and the client knows nothing of it (${client})`,
      () =>
        Effect.gen(function* () {
          const { client: runtime, resolver, server } = yield* open({ client, era: "legacy", responses: "sse" })
          yield* server.endSessions
          const answers = yield* Effect.forEach(
            SESSIONS,
            (session) =>
              McpTransport.call((request) => runtime.callTool("echo", { session }, request)).pipe(
                Harness.asSession(session)
              ),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            answers,
            SESSIONS.map((session) => [JSON.stringify({ session })])
          )
          assert.strictEqual(resolver.reconnects, 1)
          assert.strictEqual((yield* server.sessions).length, 1)
          assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
        })
    )
  }
})

describe("the end of a transport", () => {
  forEachCase("comes with its client or with the scope, whichever is first, and once", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make(options)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Clients.connect(options.client, harness.transport, ADA)
          yield* Effect.promise(() => client.close())
          yield* Effect.promise(() => client.close())
          const reason = yield* Harness.reasonOf(
            McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(Harness.asSession("one"))
          )
          assert.strictEqual(reason._tag, "ConnectionClosed")
        })
      )
      const requests = yield* harness.server.requests
      const ended = requests.filter(({ httpMethod }) => httpMethod === "DELETE")
      assert.strictEqual(ended.length, options.era === "legacy" ? 1 : 0)
      assert.deepStrictEqual(requests.filter(isCall), [])
      assert.strictEqual(harness.resolver.closed, 1)
      yield* nothingHeld(harness)
    })
  )

  forEachCase("fails the calls that are under way", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      const slow = yield* McpTransport.call((request) => client.callTool("slow", { ms: 60_000 }, request)).pipe(
        Harness.asSession("one"),
        Harness.reasonOf,
        Effect.forkChild
      )
      yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
      yield* Effect.promise(() => client.close())
      assert.strictEqual((yield* Fiber.join(slow))._tag, "ConnectionClosed")
    })
  )
})
