/** The runtime's own client, of either SDK, over a transport of ours: whose headers its requests carry, and what ends them. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { ADA, forEachCase, isCall, isCancellation, nothingHeld, open, SESSIONS } from "./support/ClientCases.ts"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const token = (generation: number) => `token-${generation}`

describe("whose headers a request carries", () => {
  forEachCase("each call those of its session, everything else those of the connection", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make(options)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Clients.connect(options.client, harness.transport, ADA)
          yield* Effect.forEach(
            SESSIONS,
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
      const calls = requests.filter(isCall)
      assert.strictEqual(calls.length, 4)
      assert.deepStrictEqual(
        new Set(calls.map(({ headers }) => headers.get("x-session"))),
        new Set([ownerMark("ada"), ...SESSIONS])
      )
      const ended = requests.filter(({ httpMethod }) => httpMethod === "DELETE")
      assert.strictEqual(ended.length, options.era === "legacy" ? 1 : 0)
      yield* nothingHeld(harness)
    })
  )

  forEachCase("hooks are told the server, the method, the tool and one id of a call of several requests", (options) =>
    Effect.gen(function* () {
      const { client, resolver } = yield* open(options)
      resolver.resolved.length = 0
      yield* McpTransport.call(async (request) => {
        await client.listTools(request)
        await client.callTool("echo", {}, request)
      }).pipe(Harness.asSession("one", { tool: "outer", method: "outer" }))
      const [list, call] = resolver.resolved.filter(({ sessionId }) => sessionId === "one")
      assert.deepInclude(list, { server: "example", method: "tools/list", principal: "ada" })
      assert.isUndefined(list?.tool)
      assert.deepInclude(call, { server: "example", method: "tools/call", tool: "echo" })
      assert.isString(call?.callId)
      assert.strictEqual(list?.callId, call?.callId)
    })
  )

  forEachCase("code without Effect names the call, and ends it with a signal", (options) =>
    Effect.gen(function* () {
      const harness = yield* open(options)
      const { client, server } = harness
      const context = { ...ADA, sessionId: "one", callId: "7" }
      const named = McpTransport.requestOptions(context)
      yield* Effect.promise(() => client.callTool("echo", { session: "one" }, named))
      const ending = new AbortController()
      const slow = client.callTool(
        "slow",
        { session: "one", ms: 60_000 },
        McpTransport.requestOptions(context, { signal: ending.signal })
      )
      const failed = slow.then(
        () => "answered",
        () => "ended"
      )
      yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
      ending.abort()
      assert.strictEqual(yield* Effect.promise(() => failed), "ended")
      yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
      assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
      assert.strictEqual(harness.resolver.resolved.find(({ sessionId }) => sessionId === "one")?.callId, "7")
    })
  )

  forEachCase("a call of another principal is refused before anything is sent", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      const reason = yield* Harness.reasonOf(
        McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(
          Harness.asSession("one", { principal: "bob" })
        )
      )
      assert.deepInclude(reason, { _tag: "PrincipalMismatch", connection: "ada", call: "bob" })
      assert.deepStrictEqual((yield* server.requests).filter(isCall), [])
    })
  )
})

describe("a credential that expired", () => {
  forEachCase("F53, F54: a storm of 100 calls all succeed after one renewal", (options) =>
    Effect.gen(function* () {
      const harness = yield* open({ ...options, resolver: { token, beforeRenewal: Effect.sleep(20) } })
      const { client, resolver, server } = harness
      yield* server.tokens.accept(token(2))
      yield* server.tokens.demand
      const answers = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => `session-${index % 10}`),
        (session) =>
          McpTransport.call((request) => client.callTool("echo", { session }, request)).pipe(
            Harness.asSession(session)
          ),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.length, 100)
      assert.strictEqual(resolver.renewals, 1)
      const requests = yield* server.requests
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.strictEqual(requests.filter((request) => isCall(request) && request.status === 200).length, 100)
    })
  )
})

describe("a call that ends", () => {
  forEachCase("interrupted, is cancelled at the server with its own headers, and is held no more", (options) =>
    Effect.gen(function* () {
      const harness = yield* open(options)
      const { client, correlations, server } = harness
      const before = correlations.map(({ size }) => size)
      const slow = yield* McpTransport.call((request) =>
        client.callTool("slow", { session: "one", ms: 60_000 }, request)
      ).pipe(Harness.asSession("one"), Effect.forkChild)
      yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
      yield* Fiber.interrupt(slow)
      yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
      const requests = yield* server.requests
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.strictEqual(requests.filter(isCancellation).length, options.era === "legacy" ? 1 : 0)
      yield* Harness.until(Effect.sync(() => correlations.every(({ size }, index) => size <= (before[index] ?? 0))))
    })
  )

  forEachCase("F82: while its 401 is answered, is never sent again", (options) =>
    Effect.gen(function* () {
      const harness = yield* open({ ...options, resolver: { token, beforeRenewal: Effect.sleep(300) } })
      const { client, server } = harness
      yield* server.tokens.accept(token(2))
      yield* server.tokens.demand
      const reason = yield* Harness.reasonOf(
        McpTransport.call((request) => client.callTool("echo", { session: "one" }, request), { timeout: 100 }).pipe(
          Harness.asSession("one")
        )
      )
      assert.deepInclude(reason, { _tag: "CallTimedOut", operation: "tools/call echo", milliseconds: 100 })
      yield* Effect.sleep(400)
      const requests = yield* server.requests
      assert.strictEqual(requests.filter(isCall).length, 1)
      assert.deepStrictEqual(requests.filter(isCancellation), [])
    })
  )

  forEachCase("by a failure of its function, has nothing left under way", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      const cause = new TypeError("no such property")
      const error = yield* McpTransport.call(async (request) => {
        void client.callTool("slow", { session: "one", ms: 60_000 }, request).catch(() => {})
        await client.callTool("echo", { session: "one" }, request)
        await Effect.runPromise(Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1)))
        throw cause
      }).pipe(Harness.asSession("one"), Effect.flip)
      assert.strictEqual(error.server, "example")
      assert.deepInclude(error.reason, { _tag: "CallbackFailed", description: "no such property" })
      assert.strictEqual(error.reason._tag === "CallbackFailed" ? error.reason.cause : undefined, cause)
      yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
    })
  )

  it.live("without having asked any server, names none", () =>
    Effect.gen(function* () {
      const error = yield* McpTransport.call(() => Promise.reject(new Error("nothing to ask"))).pipe(Effect.flip)
      assert.strictEqual(error.message, "the function given to McpTransport.call failed: nothing to ask")
      const thrown = yield* McpTransport.call(() => {
        throw new Error("at once")
      }).pipe(Effect.flip)
      assert.deepInclude(thrown.reason, { _tag: "CallbackFailed", description: "at once" })
      const within = yield* McpTransport.call(() => Promise.reject(error)).pipe(Effect.flip)
      assert.strictEqual(within, error)
    })
  )
})
