/** What becomes of a connection whose MCP session the server has forgotten (2025-11-25, Session Management). */
import { assert, describe, it } from "@effect/vitest"
import { ClientFeatures } from "@letterhead/mcp/ClientFeatures"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as LoopbackServerFault from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const kinds = ["json", "sse"] as const

const isInitialize = (request: RecordedRequest) => request.rpcMethod === "initialize"
const isInitialized = (request: RecordedRequest) => request.rpcMethod === "notifications/initialized"
const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"
const isGet = (request: RecordedRequest) => request.httpMethod === "GET"
const sessionOf = (request: RecordedRequest) => request.headers.get("mcp-session-id")

const countOf = ({ server }: Harness.Harness, accepts: (request: RecordedRequest) => boolean) =>
  Effect.map(server.requests, (requests) => requests.filter(accepts).length)

const nothingHeld = ({ correlations }: Harness.Harness) =>
  Harness.until(Effect.sync(() => correlations.every(({ size }) => size === 0)))

describe("a session that the server has forgotten", () => {
  for (const responses of kinds) {
    it.live(`is begun anew once, with fresh headers, for 100 calls, and all of them succeed (${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "legacy", responses })
        const connection = yield* harness.connect
        yield* harness.server.endSessions
        yield* harness.server.clear
        const answers = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => `session-${index}`),
          (session) => connection.callTool("echo", { session }).pipe(Harness.asSession(session)),
          { concurrency: "unbounded" }
        )
        for (const [index, { content }] of answers.entries()) {
          assert.deepStrictEqual(content, [{ type: "text", text: `{"session":"session-${index}"}` }])
        }
        assert.strictEqual(yield* countOf(harness, isInitialize), 1)
        assert.strictEqual(harness.resolver.reconnects, 1)
        const [session, ...others] = yield* harness.server.sessions
        assert.deepStrictEqual(others, [])
        const isNewStream = (request: RecordedRequest) => isGet(request) && sessionOf(request) === session
        yield* Harness.until(Effect.map(countOf(harness, isNewStream), (count) => count === 1))
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        for (const request of requests.filter((one) => isNewStream(one) || isInitialize(one))) {
          assert.strictEqual(request.headers.get("x-session"), ownerMark("ada"))
        }
        const inNew = requests.filter((one) => isCall(one) && sessionOf(one) === session)
        assert.strictEqual(inNew.length, 100)
        assert.deepStrictEqual(
          new Set(inNew.map(({ headers }) => headers.get("mcp-protocol-version"))),
          new Set([connection.protocolVersion])
        )
        yield* nothingHeld(harness)
      })
    )

    it.live(`a call that the server had taken fails and is not sent again (${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "legacy", responses })
        const connection = yield* harness.connect
        const slow = connection.callTool("slow", { session: "one", ms: 60_000 }).pipe(Harness.asSession("one"))
        const fiber = yield* Effect.forkChild(Harness.reasonOf(slow))
        yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
        yield* harness.server.endSessions
        // The stream of an answer ends with its session; a body that is awaited breaks off with its socket.
        if (responses === "json") yield* harness.server.breakOpen("close", isCall)
        assert.include(["ConnectionClosed", "Unreachable"], (yield* Fiber.join(fiber))._tag)
        yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
        assert.strictEqual((yield* harness.server.slowCalls).length, 1)
        assert.strictEqual(yield* countOf(harness, isInitialize), 2)
        yield* nothingHeld(harness)
      })
    )
  }

  it.live("an answer that is on its way in the old session still arrives, and its stream is let go then", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      const connection = yield* harness.connect
      const slow = connection.callTool("slow", { session: "one", ms: 500 }).pipe(Harness.asSession("one"))
      const fiber = yield* Effect.forkChild(slow)
      yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
      yield* harness.server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isCall })
      yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
      assert.strictEqual(yield* countOf(harness, isInitialize), 2)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).content, [{ type: "text", text: "answered" }])
      // Nothing is left of the old session: what can be broken off is the stream of the new one.
      yield* Harness.until(Effect.map(harness.server.breakOpen("close", isGet), (count) => count === 1))
    })
  )

  it.live("a cancellation of a call of the old session is not sent to the new one", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      const connection = yield* harness.connect
      const slow = connection.callTool("slow", { session: "one", ms: 60_000 }).pipe(Harness.asSession("one"))
      const fiber = yield* Effect.forkChild(slow)
      yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
      yield* harness.server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isCall })
      yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
      yield* Fiber.interrupt(fiber)
      yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
      assert.strictEqual(yield* countOf(harness, ({ rpcMethod }) => rpcMethod === "notifications/cancelled"), 0)
      yield* nothingHeld(harness)
    })
  )

  it.live("is begun anew where it is forgotten before the connection is there", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" }).pipe(
        Effect.provideService(ClientFeatures, { logLevel: "info" })
      )
      yield* harness.server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isInitialized })
      const connection = yield* harness.connect
      yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      assert.strictEqual(yield* countOf(harness, isInitialize), 2)
      assert.strictEqual(yield* countOf(harness, ({ rpcMethod }) => rpcMethod === "logging/setLevel"), 1)
      yield* nothingHeld(harness)
    })
  )

  it.live("is noticed by the stream of the server too, without any call", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      yield* harness.connect
      yield* harness.server.endSessions
      yield* Harness.until(Effect.map(harness.server.sessions, (sessions) => sessions.length === 1))
      assert.strictEqual(harness.resolver.reconnects, 1)
    })
  )

  it.live("a server whose GET answers 404 from the start has forgotten nothing", () =>
    Effect.gen(function* () {
      const accept = (_headers: unknown, request: RecordedRequest) => (isGet(request) ? 404 : undefined)
      const harness = yield* Harness.make({ era: "legacy", accept })
      const connection = yield* harness.connect
      yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      assert.strictEqual(yield* countOf(harness, isInitialize), 1)
      assert.strictEqual(yield* countOf(harness, isGet), 1)
      assert.strictEqual(harness.resolver.reconnects, 0)
    })
  )

  it.live("a server that forgets each session at once is asked for one, and the call fails with its refusal", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isCall, times: 200 })
      const reasons = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => `session-${index}`),
        (session) => Harness.reasonOf(connection.callTool("echo", { session })).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      for (const reason of reasons) assert.deepInclude(reason, { _tag: "HttpFailed", status: 404 })
      assert.strictEqual(yield* countOf(harness, isInitialize), 2)
      yield* nothingHeld(harness)
    })
  )

  it.live("a renewal that fails is the error of all who waited for it, and the next call begins another", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", limits: { retries: 0 } })
      const connection = yield* harness.connect
      yield* harness.server.endSessions
      yield* harness.server.respondNext({ status: 503, body: "not now", when: isInitialize })
      const reasons = yield* Effect.forEach(
        ["one", "two", "three"],
        (session) => Harness.reasonOf(connection.callTool("echo", { session })).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      for (const reason of reasons) assert.deepInclude(reason, { _tag: "HttpFailed", status: 503 })
      yield* connection.callTool("echo", { session: "four" }).pipe(Harness.asSession("four"))
      assert.strictEqual(yield* countOf(harness, isInitialize), 3)
      yield* nothingHeld(harness)
    })
  )

  it.live("a renewal that hangs is given up after the connect budget", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", connectTimeout: 300 })
      const connection = yield* harness.connect
      yield* harness.server.endSessions
      yield* harness.server.respondNext({ hang: "before headers", when: isInitialize })
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.deepInclude(reason, { _tag: "CallTimedOut", operation: "reconnecting", milliseconds: 300 })
      yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
      yield* nothingHeld(harness)
    })
  )

  it.live("a call that is interrupted while it waits for a renewal is never sent", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      let held = false
      const beforeResolve = ({ method }: { readonly method?: string }) =>
        held && method === undefined
          ? Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
          : Effect.void
      const harness = yield* Harness.make({ era: "legacy", resolver: { beforeResolve } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isCall })
      held = true
      const first = yield* Effect.forkChild(
        connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      )
      yield* Deferred.await(begun)
      const second = yield* Effect.forkChild(
        connection.callTool("slow", { session: "two" }).pipe(Harness.asSession("two"))
      )
      yield* Effect.sleep(50)
      yield* Fiber.interrupt(second)
      held = false
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* connection.callTool("echo", { session: "three" }).pipe(Harness.asSession("three"))
      assert.deepStrictEqual(yield* harness.server.slowCalls, [])
      assert.strictEqual(yield* countOf(harness, ({ sessionMark }) => sessionMark === "two"), 0)
      yield* nothingHeld(harness)
    })
  )

  it.live("a connection that is closed during a renewal leaves none behind, and who waits is told", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(harness.connect, scope)
      yield* harness.server.endSessions
      yield* harness.server.clear
      yield* harness.server.respondNext({ hang: "before headers", when: isInitialize })
      const fiber = yield* Effect.forkChild(
        Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      )
      yield* Harness.until(Effect.map(countOf(harness, isInitialize), (count) => count === 1))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "ConnectionClosed")
      const after = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(after._tag, "ConnectionClosed")
      assert.strictEqual(yield* countOf(harness, isInitialize), 1)
      assert.deepStrictEqual(yield* harness.server.sessions, [])
    })
  )

  for (const responses of kinds) {
    it.live(
      `1,000 calls of 20 sessions through five renewals: each has its own answer or a typed error (${responses})`,
      () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era: "legacy", responses })
          const connection = yield* harness.connect
          let count = 0
          const call = (index: number) => {
            const session = `session-${index % 20}`
            return connection.callTool("echo", { session, index }).pipe(
              Harness.asSession(session),
              Effect.tap(() => (++count % 300 === 150 && count < 600 ? harness.server.endSessions : Effect.void)),
              Effect.result,
              Effect.map((result) => ({ session, index, result }))
            )
          }
          const results = yield* Effect.forEach(
            Array.from({ length: 1_000 }, (_, index) => index),
            call,
            { concurrency: 32 }
          )
          for (const { session, index, result } of results) {
            if (result._tag === "Failure")
              assert.include(["ConnectionClosed", "Unreachable"], result.failure.reason._tag)
            else
              assert.deepStrictEqual(result.success.content, [
                { type: "text", text: JSON.stringify({ session, index }) }
              ])
          }
          assert.isAbove(results.filter(({ result }) => result._tag === "Success").length, 900)
          assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
          yield* nothingHeld(harness)
        })
    )
  }

  for (const client of ["SDK 1", "SDK 2"] as const) {
    it.live(`is begun anew beneath a runtime's own client, which does not know of it (${client})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
        const runtime = yield* Clients.connect(client, harness.transport, { principal: "ada" })
        yield* harness.server.endSessions
        const answers = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => `session-${index}`),
          (session) =>
            McpTransport.call((options) => runtime.callTool("echo", { session }, options)).pipe(
              Harness.asSession(session)
            ),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map(([text]) => text),
          Array.from({ length: 100 }, (_, index) => `{"session":"session-${index}"}`)
        )
        assert.strictEqual(yield* countOf(harness, isInitialize), 2)
        assert.strictEqual(harness.resolver.reconnects, 1)
        assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
        yield* nothingHeld(harness)
      })
    )
  }

  it.live("is counted in letterhead_reconnects", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const connection = yield* harness.connect
      yield* harness.server.endSessions
      yield* connection.callTool("echo", {}).pipe(Harness.asSession("one"))
      const counted = (yield* Metric.snapshot).find(
        ({ id, attributes }) => id === "letterhead_reconnects" && attributes?.["reason"] === "session forgotten"
      )
      assert.isDefined(counted)
    })
  )
})
