/** What a server refuses, and what must happen then: faults F52 to F55, F82 and F83, on real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, TimedOut } from "@letterhead/core/headers/HeaderError"
import { RequestObserver, type SentRequest } from "@letterhead/mcp/McpTransport"
import { BODY_LIMIT } from "@letterhead/mcp/failure/Refusal"
import { echoAuthorization } from "@letterhead/testing/LoopbackServerFault"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import { inspect } from "node:util"
import * as Harness from "./support/Harness.ts"

const token = (generation: number) => `canary-token-${generation}`
const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"
const callsOf = (harness: Harness.Harness) => Effect.map(harness.server.requests, (requests) => requests.filter(isCall))

const forEachCase = (
  claim: string,
  test: (options: (typeof Harness.cases)[number]) => Effect.Effect<void, unknown, Scope.Scope>
) => {
  for (const options of Harness.cases) it.live(`${claim} (${options.era}, ${options.responses})`, () => test(options))
}

describe("401", () => {
  forEachCase("F52: one renewal, one retry, and the call succeeds", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ ...options, resolver: { token } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.accept(token(2))
      yield* harness.server.tokens.demand
      const seen: Array<SentRequest> = []
      yield* connection.callTool("echo", { session: "one" }).pipe(
        Harness.asSession("one"),
        Effect.provideService(RequestObserver, (request) => void seen.push(request))
      )
      const calls = yield* callsOf(harness)
      assert.deepStrictEqual(
        calls.map(({ status, headers }) => [status, headers.get("authorization"), headers.get("x-session")]),
        [
          [401, `Bearer ${token(1)}`, "one"],
          [200, `Bearer ${token(2)}`, "one"]
        ]
      )
      assert.strictEqual(harness.resolver.renewals, 1)
      assert.deepStrictEqual(
        seen.map(({ attempt, httpMethod, call }) => [attempt, httpMethod, call.method, call.tool, call.sessionId]),
        [
          [1, "POST", "tools/call", "echo", "one"],
          [2, "POST", "tools/call", "echo", "one"]
        ]
      )
      assert.notInclude(inspect(seen, { depth: 10 }), "canary")
    })
  )

  forEachCase("F52: a second 401 is the caller's, and names the source and where it is declared", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ ...options, resolver: { token } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.demand
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "Unauthorized")
      if (reason._tag !== "Unauthorized") return
      assert.strictEqual(reason.source, "helper")
      assert.strictEqual(reason.declared, "node ./headers.js")
      assert.strictEqual((yield* callsOf(harness)).length, 2)
      assert.strictEqual(harness.resolver.challenges.length, 1)
    })
  )

  forEachCase("F52: where the resolver has nothing new, the request is sent once", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ ...options, resolver: { token, challenge: "give up" } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.demand
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "Unauthorized")
      assert.strictEqual((yield* callsOf(harness)).length, 1)
    })
  )

  it.live("a renewal that fails is the error, for it says what to do", () =>
    Effect.gen(function* () {
      const challenge = new HeaderError({ reason: new TimedOut({ milliseconds: 10 }), source: "helper" })
      const harness = yield* Harness.make({ era: "modern", resolver: { token, challenge } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.demand
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "HeadersFailed")
      assert.strictEqual((yield* callsOf(harness)).length, 1)
    })
  )

  forEachCase("F53, F54: a storm of 100 calls with an expired token all succeed after one renewal", (options) =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({
        ...options,
        resolver: { token, beforeRenewal: Effect.sleep(20) }
      })
      const connection = yield* harness.connect
      yield* harness.server.tokens.accept(token(2))
      yield* harness.server.tokens.demand
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => `session-${index % 10}`),
        (session) => connection.callTool("echo", { session }).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(harness.resolver.renewals, 1)
      const requests = yield* harness.server.requests
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.strictEqual(requests.filter((request) => isCall(request) && request.status === 200).length, 100)
      assert.isAtMost(requests.filter(isCall).length, 200)
    })
  )
})

describe("403", () => {
  it.live("F55: insufficient_scope is put to the resolver once, and surfaced with the scope", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", resolver: { token, challenge: "give up" } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({
        status: 403,
        when: isCall,
        headers: { "www-authenticate": 'Bearer error="insufficient_scope", scope="files:write"' }
      })
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "Forbidden")
      assert.include(reason.message, "insufficient_scope")
      assert.include(reason.message, "files:write")
      assert.strictEqual(harness.resolver.challenges.length, 1)
      assert.strictEqual((yield* callsOf(harness)).length, 1)
    })
  )

  it.live("F55: any other 403 is put to the resolver once, and then is the caller's", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", resolver: { token } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ status: 403, when: isCall, times: 2, body: "not for you" })
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "Forbidden")
      assert.include(reason.message, "not for you")
      assert.strictEqual(harness.resolver.challenges.length, 1)
      assert.strictEqual((yield* callsOf(harness)).length, 2)
    })
  )
})

describe("a call that ends while its 401 is answered", () => {
  forEachCase("F82: interrupted, its request is never sent again, and nothing is cancelled at the server", (options) =>
    Effect.gen(function* () {
      const renewing = yield* Deferred.make<void>()
      const renewed = yield* Deferred.make<void>()
      const beforeRenewal = Effect.andThen(Deferred.succeed(renewing, undefined), Deferred.await(renewed))
      const harness = yield* Harness.make({ ...options, resolver: { token, beforeRenewal } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.accept(token(2))
      yield* harness.server.tokens.demand
      const fiber = yield* Effect.forkChild(
        connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      )
      yield* Deferred.await(renewing)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(renewed, undefined)
      yield* Effect.sleep(100)
      const requests = yield* harness.server.requests
      assert.deepStrictEqual(
        requests.filter(isCall).map(({ status }) => status),
        [401]
      )
      assert.isFalse(requests.some(({ rpcMethod }) => rpcMethod === "notifications/cancelled"))
      assert.deepStrictEqual(
        harness.correlations.map(({ size }) => size),
        [0]
      )
    })
  )

  forEachCase("F82: timed out, likewise", (options) =>
    Effect.gen(function* () {
      const beforeRenewal = Effect.sleep(300)
      const harness = yield* Harness.make({ ...options, resolver: { token, beforeRenewal } })
      const connection = yield* harness.connect
      yield* harness.server.tokens.accept(token(2))
      yield* harness.server.tokens.demand
      const reason = yield* Harness.reasonOf(
        connection.callTool("echo", {}, { timeout: 150 }).pipe(Harness.asSession("one"))
      )
      assert.strictEqual(reason._tag, "CallTimedOut")
      yield* Effect.sleep(400)
      assert.deepStrictEqual(
        (yield* callsOf(harness)).map(({ status }) => status),
        [401]
      )
    })
  )
})

describe("a refusal that is not said to its end", () => {
  for (const [ending, end] of [
    ["breaks off", (response: ServerResponse) => void setTimeout(() => response.destroy(), 10)],
    ["never ends", () => undefined],
    // What is shown is short, for runs of control characters become one blank; what is read is cut within the token.
    [
      "is larger than what is read",
      (response: ServerResponse) => {
        const before = "no entry with canary-tok".length
        response.end(`en-1${"\0".repeat(BODY_LIMIT - before - 10)}${token(1)}${"\0".repeat(BODY_LIMIT)}`)
      }
    ]
  ] as const) {
    it.live(`F83: is the caller's nevertheless, with no half of a value, where its body ${ending}`, () =>
      Effect.gen(function* () {
        const origin = yield* LoopbackListener.listen((_request, response) => {
          response.writeHead(401, { "content-type": "text/plain" })
          response.write("no entry with canary-tok")
          end(response)
        })
        const harness = yield* Harness.make({
          era: "modern",
          url: `${origin}/mcp`,
          resolver: { token, challenge: "give up" }
        })
        const reason = yield* Harness.reasonOf(harness.connect)
        assert.strictEqual(reason._tag, "Unauthorized")
        assert.notInclude(reason.message, "canary")
      })
    )
  }
})

describe("a credential that comes back", () => {
  for (const status of [400, 401, 403, 404, 429, 500, 503]) {
    for (const era of ["legacy", "modern"] as const) {
      // It says that the session is forgotten, and the call succeeds in a new one.
      if (status === 404 && era === "legacy") continue
      it.live(`F83, F50: in the body of a ${status} (${era}) it is masked, wherever one looks`, () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era, resolver: { token, challenge: "give up" } })
          const connection = yield* harness.connect
          yield* harness.server.respondNext({ ...echoAuthorization(status), when: isCall })
          const error = yield* Effect.flip(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
          assert.include(error.message, "refused: ***")
          for (const text of [
            error.message,
            String(error.stack),
            inspect(error, { depth: 20 }),
            JSON.stringify(error)
          ]) {
            assert.notInclude(text, "canary")
          }
        })
      )
    }
  }

  it.live("F83: in a JSON-RPC error it is masked", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", resolver: { token } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({
        status: 200,
        when: isCall,
        headers: { "content-type": "application/json" },
        body: (request) =>
          JSON.stringify({
            jsonrpc: "2.0",
            id: request.rpcId,
            error: { code: -32_000, message: `no user for ${request.headers.get("authorization")}` }
          })
      })
      const error = yield* Effect.flip(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(error.reason._tag, "ProtocolFailed")
      assert.include(error.message, "no user for ***")
      assert.notInclude(inspect(error, { depth: 20 }), "canary")
    })
  )

  it.live("F83: in an answer that is no MCP at all it is not shown", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", resolver: { token } })
      const connection = yield* harness.connect
      for (const contentType of ["application/json", "text/plain", `text/x-${token(1)}`]) {
        yield* harness.server.respondNext({
          status: 200,
          when: isCall,
          headers: { "content-type": contentType },
          body: (request) => `${request.headers.get("authorization")} and ${token(1)}`
        })
        const error = yield* Effect.flip(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
        assert.strictEqual(error.reason._tag, "ProtocolFailed")
        assert.notInclude(inspect(error, { depth: 20 }), "canary")
      }
    })
  )
})
