/** Who shares a connection, what it sends of its own, and how it ends; faults F57 and F84. */
import { assert, describe, it } from "@effect/vitest"
import { RequestObserver, type SentRequest } from "@letterhead/mcp/McpTransport"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"

const isCancellation = (request: RecordedRequest) => request.rpcMethod === "notifications/cancelled"

const eras = ["legacy", "modern"] as const

describe("principals and sessions", () => {
  for (const era of eras) {
    it.live(`F84: a second principal gets a connection, session and lists of its own (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const ada = yield* harness.connect
        const again = yield* harness.transport.connect("example", { principal: "ada", sessionId: "other" })
        const bob = yield* harness.transport.connect("example", { principal: "bob" })
        assert.strictEqual(again, ada)
        assert.notStrictEqual(bob, ada)
        assert.strictEqual(harness.resolver.opened, 2)
        yield* ada.listTools.pipe(Harness.asSession("one"))
        yield* bob.listTools.pipe(Harness.asSession("two", { principal: "bob" }))
        const lists = (yield* harness.server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/list")
        assert.deepStrictEqual(
          lists.map(({ headers }) => [headers.get("x-principal"), headers.get("x-session")]),
          [
            ["ada", "one"],
            ["bob", "two"]
          ]
        )
        if (era === "legacy") {
          const [first, second] = lists.map(({ headers }) => headers.get("mcp-session-id"))
          assert.notStrictEqual(first, second)
        }
      })
    )

    it.live(`F84: a call on behalf of another principal than the connection's is not sent (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const ada = yield* harness.connect
        for (const facts of [{ principal: "bob" }, { principal: "local" }]) {
          const reason = yield* Harness.reasonOf(ada.callTool("echo", {}).pipe(Harness.asSession("two", facts)))
          assert.strictEqual(reason._tag, "PrincipalMismatch")
        }
        assert.isFalse((yield* harness.server.requests).some(isCall))
      })
    )

    it.live(`a list that one session made is not served to another (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const connection = yield* harness.connect
        for (const session of ["one", "two", "one"]) {
          yield* connection.listTools.pipe(Harness.asSession(session))
          yield* connection.listPrompts.pipe(Harness.asSession(session))
          yield* connection.listResources.pipe(Harness.asSession(session))
          yield* connection.readResource("loopback://note").pipe(Harness.asSession(session))
          yield* connection.getPrompt("greeting", { session }).pipe(Harness.asSession(session))
        }
        const requests = (yield* harness.server.requests).filter(({ headers }) =>
          ["one", "two"].includes(headers.get("x-session") ?? "")
        )
        for (const method of ["tools/list", "prompts/list", "resources/list", "resources/read", "prompts/get"]) {
          const sessions = requests
            .filter(({ rpcMethod }) => rpcMethod === method)
            .map(({ headers }) => headers.get("x-session"))
          assert.deepStrictEqual(sessions, ["one", "two", "one"], method)
        }
      })
    )

    it.live(`an entry of the same name that says something else is another connection (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const ada = yield* harness.connect
        const owner = { principal: "ada" }
        const copy = EntryFixture.entry({ url: harness.server.url })
        assert.strictEqual(yield* harness.transport.connect(copy, owner), ada)
        const other = EntryFixture.entry({ url: harness.server.url, headers: { "x-other": "1" } })
        assert.notStrictEqual(yield* harness.transport.connect(other, owner), ada)
      })
    )
  }
})

describe("what the connection sends of its own", () => {
  for (const { era, responses } of Harness.cases) {
    it.live(`carries the headers of its owner, with no method in the context (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses })
        const seen: Array<SentRequest> = []
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* harness.connect
            yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
          })
        ).pipe(Effect.provideService(RequestObserver, (request) => void seen.push(request)))

        const own = seen.filter(({ call }) => call.method === undefined)
        assert.isTrue(own.every(({ call }) => call.principal === "ada" && call.server === "example"))
        assert.isTrue(own.every(({ call }) => call.callId === undefined && call.tool === undefined))
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        const kinds = requests
          .filter(({ headers }) => headers.get("x-session") === ownerMark("ada"))
          .map(({ httpMethod, rpcMethod }) => rpcMethod ?? httpMethod)
        assert.deepStrictEqual(
          kinds.toSorted(),
          era === "modern"
            ? ["server/discover"]
            : ["DELETE", "GET", "initialize", "notifications/initialized", "server/discover"]
        )
        assert.deepStrictEqual(yield* harness.server.sessions, [])
      })
    )
  }

  it.live("a reply to the server carries them too, though it has the id of a call", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      const connection = yield* harness.connect
      yield* Effect.forEach(
        Array.from({ length: 10 }, (_, index) => `session-${index}`),
        (session) => connection.callTool("ask", { session }).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      const requests = yield* harness.server.requests
      const replies = requests.filter(
        ({ httpMethod, rpcMethod, rpcId }) => httpMethod === "POST" && rpcMethod === undefined && rpcId !== undefined
      )
      assert.strictEqual(replies.length, 10)
      assert.deepStrictEqual(Harness.crossed(requests), [])
    })
  )

  it.live("an observer that the layer was built with is told, and one that throws changes nothing", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const observer = (request: SentRequest) => {
        seen.push(request.call.method)
        throw new Error("an observer")
      }
      const harness = yield* Harness.make({ era: "modern" }).pipe(Effect.provideService(RequestObserver, observer))
      const connection = yield* harness.connect
      yield* connection.callTool("echo", {}).pipe(Harness.asSession("one"))
      assert.deepStrictEqual(seen, [undefined, "tools/call"])
    })
  )
})

describe("trouble on the way", () => {
  for (const era of eras) {
    for (const close of ["before headers", "after headers", "within body"] as const) {
      it.live(
        `F57: a connection that breaks ${close} fails the call at once; nothing is renewed or repeated (${era})`,
        () =>
          Effect.gen(function* () {
            const harness = yield* Harness.make({ era })
            const connection = yield* harness.connect
            yield* harness.server.respondNext({ close, when: isCall })
            const reason = yield* Harness.reasonOf(
              connection.callTool("echo", {}, { timeout: 5_000 }).pipe(Harness.asSession("one"))
            )
            assert.include(["Unreachable", "ConnectionClosed"], reason._tag)
            assert.strictEqual((yield* harness.server.requests).filter(isCall).length, 1)
            assert.deepStrictEqual(harness.resolver.challenges, [])
            yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
            yield* connection.callTool("echo", {}).pipe(Harness.asSession("one"))
          })
      )
    }
  }

  for (const { era, responses } of Harness.cases) {
    it.live(`a call that is interrupted or times out is cancelled at the server (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses })
        const connection = yield* harness.connect
        const slow = connection.callTool("slow", { session: "one", ms: 60_000 })
        const fiber = yield* Effect.forkChild(slow.pipe(Harness.asSession("one")))
        yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
        yield* Fiber.interrupt(fiber)
        const reason = yield* Harness.reasonOf(
          connection.callTool("slow", { session: "two", ms: 60_000 }, { timeout: 200 }).pipe(Harness.asSession("two"))
        )
        assert.deepInclude(reason, { _tag: "CallTimedOut", operation: "tools/call slow", milliseconds: 200 })
        yield* Harness.until(
          Effect.map(harness.server.slowCalls, (calls) => calls.every(({ outcome }) => outcome === "cancelled"))
        )
        assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
        yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
      })
    )
  }
})

describe("the end", () => {
  it.live("the last scope to close ends the MCP session, and the next connect begins a new one", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      yield* Scope.provide(harness.connect, first)
      yield* Scope.provide(harness.connect, second)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual((yield* harness.server.sessions).length, 1)
      assert.strictEqual(harness.resolver.closed, 0)
      yield* Scope.close(second, Exit.void)
      assert.strictEqual((yield* harness.server.sessions).length, 0)
      assert.strictEqual(harness.resolver.closed, 1)
      yield* harness.connect
      assert.strictEqual(harness.resolver.opened, 2)
    })
  )

  it.live("a cancellation that is under way arrives before the session is ended", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* harness.connect
          const slow = connection.callTool("slow", { session: "one", ms: 60_000 })
          const fiber = yield* Effect.forkChild(slow.pipe(Harness.asSession("one")))
          yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
          yield* Fiber.interrupt(fiber)
        })
      )
      const methods = (yield* harness.server.requests).map(({ httpMethod, rpcMethod }) => rpcMethod ?? httpMethod)
      assert.deepStrictEqual(methods.slice(-2), ["notifications/cancelled", "DELETE"])
    })
  )

  it.live("a server that does not answer the end is not waited for longer than two seconds", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      yield* harness.server.respondNext({ hang: "before headers", when: ({ httpMethod }) => httpMethod === "DELETE" })
      const closed = yield* Effect.timeoutOption(Effect.scoped(harness.connect), 10_000)
      assert.strictEqual(closed._tag, "Some")
    })
  )

  it.live("nor one that does not answer a cancellation", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      yield* harness.server.respondNext({ hang: "before headers", when: isCancellation })
      const closed = yield* Effect.timeoutOption(
        Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* harness.connect
            const slow = connection.callTool("slow", { session: "one", ms: 60_000 })
            const fiber = yield* Effect.forkChild(slow.pipe(Harness.asSession("one")))
            yield* Harness.until(Effect.map(harness.server.slowCalls, (calls) => calls.length === 1))
            yield* Fiber.interrupt(fiber)
          })
        ),
        10_000
      )
      assert.strictEqual(closed._tag, "Some")
      assert.isTrue((yield* harness.server.requests).some(isCancellation))
    })
  )
})
