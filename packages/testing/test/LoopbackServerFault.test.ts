import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as LoopbackServerFault from "@letterhead/testing/LoopbackServerFault"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import { callTool, connect } from "./ClientFixture.ts"

const post = (url: string, init: RequestInit = {}) =>
  Effect.promise(() => fetch(url, { method: "POST", body: "{}", redirect: "manual", ...init }))

/** What became of reading a response to its end. */
const readToEnd = (response: Response) =>
  Effect.promise(() =>
    response.text().then(
      (text) => `read ${text}`,
      () => "broken"
    )
  )

describe("LoopbackServerFault", () => {
  it.live("answers as many requests as it is told with the status, fields and body it is given", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ status: 429, headers: { "retry-after": "7" }, body: "slower", times: 2 })
      for (const _ of [1, 2]) {
        const response = yield* post(server.url)
        assert.strictEqual(response.status, 429)
        assert.strictEqual(response.headers.get("retry-after"), "7")
        assert.strictEqual(yield* readToEnd(response), "read slower")
      }
      assert.notStrictEqual((yield* post(server.url)).status, 429)
      assert.deepStrictEqual(
        (yield* server.requests).slice(0, 2).map((request) => request.status),
        [429, 429]
      )
    })
  )

  it.live("waits for a request that it applies to, and several keep their order", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const client = yield* connect(server.url)
      yield* server.respondNext({ status: 503, when: (request) => request.toolName === "echo" })
      yield* server.respondNext({ status: 500, when: (request) => request.toolName === "echo" })
      assert.include(yield* callTool(client, "whoami"), "host")
      for (const _ of [1, 2]) {
        yield* Effect.flip(Effect.tryPromise(() => client.callTool({ name: "echo", arguments: {} })))
      }
      assert.strictEqual(yield* callTool(client, "echo"), "{}")
      assert.deepStrictEqual(
        (yield* server.requests).flatMap(({ toolName, status }) => (toolName === "echo" ? [status] : [])),
        [503, 500, 200]
      )
    })
  )

  it.live("forgets the faults that wait", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ status: 503 })
      yield* server.clearFaults
      assert.notStrictEqual((yield* post(server.url)).status, 503)
    })
  )

  it.live.each([301, 302, 303, 307, 308] as const)(
    "redirects with %i to a server that records what it gets",
    (status) =>
      Effect.gen(function* () {
        const target = yield* RecordingServer.make({ body: '{"here":true}' })
        const server = yield* LoopbackServer.make({ era: "both" })
        yield* server.respondNext(LoopbackServerFault.redirect(status, target.url))
        const manual = yield* post(server.url)
        assert.strictEqual(manual.status, status)
        assert.strictEqual(manual.headers.get("location"), target.url)
        assert.lengthOf(yield* target.requests, 0)

        yield* server.respondNext(LoopbackServerFault.redirect(status, target.url))
        const followed = yield* post(server.url, { redirect: "follow", headers: { "x-api-key": "leaks" } })
        assert.strictEqual(yield* readToEnd(followed), 'read {"here":true}')
        const [request] = yield* target.requests
        assert.strictEqual(request?.headers.get("x-api-key"), "leaks")
        yield* target.clear
        assert.lengthOf(yield* target.requests, 0)
      })
  )

  it.live("echoes the credential it received", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext(LoopbackServerFault.echoAuthorization(500))
      const response = yield* post(server.url, { headers: { authorization: "Bearer canary" } })
      assert.strictEqual(response.status, 500)
      assert.strictEqual(yield* readToEnd(response), "read refused: Bearer canary")
    })
  )

  it.live("waits before it befalls the request", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ status: 401, delay: 100 })
      const before = performance.now()
      assert.strictEqual((yield* post(server.url)).status, 401)
      // Timers may fire a millisecond early.
      assert.isAtLeast(performance.now() - before, 95)
    })
  )

  it.live("hangs without answering until the client gives up", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ hang: "before headers" })
      const result = yield* Effect.promise(() =>
        fetch(server.url, { method: "POST", body: "{}", signal: AbortSignal.timeout(100) }).then(
          () => "answered",
          () => "gave up"
        )
      )
      assert.strictEqual(result, "gave up")
      assert.deepStrictEqual(
        (yield* server.requests).map((request) => request.status),
        [undefined]
      )
    })
  )

  it.live("hangs after the headers of an event stream", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ hang: "after headers" })
      const response = yield* post(server.url, { signal: AbortSignal.timeout(200) })
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(yield* readToEnd(response), "broken")
    })
  )

  it.live("closes the socket before the headers", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ close: "before headers" })
      yield* Effect.flip(Effect.tryPromise(() => fetch(server.url, { method: "POST", body: "{}" })))
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.live.each(["after headers", "within body"] as const)("closes the socket %s", (close) =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ close })
      const response = yield* post(server.url)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(yield* readToEnd(response), "broken")
    })
  )
})
