import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as LoopbackServerFault from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Http from "node:http"
import { callTool, connect, eventually } from "./ClientFixture.ts"

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

  it.live.each(["before headers", "after headers", "within body"] as const)("resets the socket %s", (reset) =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ reset })
      const { started, error } = yield* exchange(server.url)
      assert.strictEqual(started, reset !== "before headers")
      assert.strictEqual(error, "ECONNRESET")
    })
  )

  it.live("says no more within a JSON body until the client gives up", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ hang: "within body" })
      const response = yield* post(server.url, { signal: AbortSignal.timeout(200) })
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.strictEqual(yield* readToEnd(response), "broken")
    })
  )

  it.live("trickles header fields, so that an answer never begins", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ trickle: "headers", interval: 5 })
      const result = yield* Effect.promise(() =>
        fetch(server.url, { method: "POST", body: "{}", signal: AbortSignal.timeout(200) }).then(
          () => "answered",
          () => "gave up"
        )
      )
      assert.strictEqual(result, "gave up")
    })
  )

  it.live.each([
    ["body", "application/json", /^\{"jsonrpc":"2.0","padding":"x+$/],
    ["event", "text/event-stream", /^data: x+$/],
    ["comments", "text/event-stream", /^(: x{8}\n\n)+$/]
  ] as const)("goes on with %s until the client gives up", ([trickle, type, expected]) =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext({ trickle, interval: 0, bytes: 8 })
      const response = yield* post(server.url)
      assert.strictEqual(response.headers.get("content-type"), type)
      const received = yield* Effect.promise(async () => {
        let text = ""
        for await (const chunk of response.body ?? []) {
          text += Buffer.from(chunk).toString()
          if (text.length >= 1000) break
        }
        return text
      })
      assert.match(received, expected)
    })
  )

  it.live("floods with header fields", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext(LoopbackServerFault.headerFlood(20_000))
      const { started, error } = yield* exchange(server.url)
      assert.isFalse(started)
      assert.strictEqual(error, "HPE_HEADER_OVERFLOW")
    })
  )

  it.live.each(["gzip", "deflate", "br"] as const)("answers in %s, which nobody asked for", (encoding) =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext(LoopbackServerFault.compressed(encoding, ({ httpMethod }) => `it was ${httpMethod}`))
      const response = yield* post(server.url)
      assert.strictEqual(response.headers.get("content-encoding"), encoding)
      assert.strictEqual(yield* readToEnd(response), "read it was POST")
    })
  )

  it.live("says when to come again, and that a session is gone", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      yield* server.respondNext(LoopbackServerFault.retryLater(503, "soon"))
      yield* server.respondNext(LoopbackServerFault.sessionNotFound)
      const later = yield* post(server.url)
      assert.deepStrictEqual([later.status, later.headers.get("retry-after")], [503, "soon"])
      const gone = yield* post(server.url)
      assert.strictEqual(gone.status, 404)
      assert.include(yield* readToEnd(gone), "Session not found")
    })
  )

  it.live.each(["close", "reset"] as const)("%ss the answers that are under way", (how) =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const client = yield* connect(server.url)
      const failed = Effect.flip(Effect.tryPromise(() => client.callTool({ name: "slow", arguments: { ms: 60_000 } })))
      yield* server.clear
      const call = yield* Effect.forkChild(failed)
      yield* eventually(server.slowCalls, (calls) => calls.length === 1)
      assert.strictEqual(yield* server.breakOpen(how, ({ toolName }) => toolName === "slow"), 1)
      yield* Fiber.join(call)
      yield* eventually(
        server.breakOpen(how, ({ toolName }) => toolName === "slow"),
        (left) => left === 0
      )
    })
  )

  it.live("silences the streams that are open, while new requests are answered", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy", keepAlive: 5 })
      const client = yield* connect(server.url)
      yield* eventually(server.requests, (requests) =>
        requests.some((request) => isStream(request) && request.status === 200)
      )
      let told = 0
      client.setNotificationHandler("notifications/tools/list_changed", () => {
        told += 1
      })
      yield* server.notifyToolsChanged
      yield* eventually(
        Effect.sync(() => told),
        (count) => count === 1
      )
      assert.strictEqual(yield* server.breakOpen("silence", isStream), 1)
      yield* server.notifyToolsChanged
      assert.strictEqual(yield* callTool(client, "echo"), "{}")
      assert.strictEqual(yield* callTool(client, "slow", { ms: 100 }), "answered")
      assert.strictEqual(told, 1)
    })
  )
})

const isStream = ({ httpMethod }: RecordedRequest) => httpMethod === "GET"

/** Posts with Node's own client, which says how an answer ended. */
const exchange = (url: string) =>
  Effect.promise(
    () =>
      new Promise<{ readonly started: boolean; readonly error: string | undefined }>((resolve) => {
        let started = false
        const end = (error?: NodeJS.ErrnoException) => resolve({ started, error: error?.code })
        Http.request(url, { method: "POST" }, (response) => {
          started = true
          response.once("error", end).once("end", () => end())
          response.resume()
        })
          .once("error", end)
          .end("{}")
      })
  )
