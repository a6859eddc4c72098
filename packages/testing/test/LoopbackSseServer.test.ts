import { assert, describe, it } from "@effect/vitest"
import { SSEClientTransport } from "@modelcontextprotocol/client"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { callTool, connectSse, eventually } from "./ClientFixture.ts"

describe("LoopbackSseServer", () => {
  it.live("serves the official client, and records GET and POSTs with their headers", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const client = yield* connectSse(server.url, { "x-session": "s-1" })
      assert.strictEqual(yield* callTool(client, "echo", { session: "s-1" }), '{"session":"s-1"}')
      assert.include(yield* callTool(client, "whoami"), '"x-session":"s-1"')
      assert.lengthOf(yield* server.sessions, 1)

      const requests = yield* server.requests
      assert.deepStrictEqual(
        requests.map(({ httpMethod, rpcMethod, sessionMark, status }) => [httpMethod, rpcMethod, sessionMark, status]),
        [
          ["GET", undefined, undefined, 200],
          ["POST", "initialize", undefined, 202],
          ["POST", "notifications/initialized", undefined, 202],
          ["POST", "tools/call", "s-1", 202],
          ["POST", "tools/call", undefined, 202]
        ]
      )
      assert.isTrue(requests.every(({ headers }) => headers.get("x-session") === "s-1"))
      assert.isTrue(requests.slice(1).every(({ path }) => path.startsWith("/messages?sessionId=")))
    })
  )

  it.live("gives a cancelled notification the mark of its call, each session apart", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const marks = ["s-1", "s-2"]
      for (const session of marks) {
        const client = yield* connectSse(server.url)
        const call = { name: "slow", arguments: { ms: 60_000, session } }
        const slow = yield* Effect.forkChild(Effect.promise((signal) => client.callTool(call, { signal })))
        yield* eventually(server.slowCalls, (calls) => calls.some(({ sessionMark }) => sessionMark === session))
        yield* Fiber.interrupt(slow)
      }
      yield* eventually(server.slowCalls, (calls) => calls.every(({ outcome }) => outcome === "cancelled"))
      const cancelled = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "notifications/cancelled")
      assert.deepStrictEqual(
        cancelled.map(({ sessionMark }) => sessionMark),
        marks
      )
    })
  )

  it.live("demands a token for the stream and for the posts", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      yield* server.tokens.accept("good")
      yield* server.tokens.demand
      const refused = yield* Effect.exit(start(server.url))
      assert.isTrue(Exit.isFailure(refused))
      const client = yield* connectSse(server.url, { authorization: "Bearer good" })
      assert.strictEqual(yield* callTool(client, "echo"), "{}")

      yield* server.tokens.expireAll
      assert.isTrue(Exit.isFailure(yield* Effect.exit(callTool(client, "echo"))))
      const [first, ...others] = yield* server.requests
      assert.strictEqual(first?.status, 401)
      assert.deepInclude(others.at(-1), { httpMethod: "POST", status: 401 })
    })
  )

  it.live.each([
    ["405, where nothing else is said", undefined, 405],
    ["404", 404, 404],
    ["400", { status: 400, body: "no" }, 400],
    ["410", 410, 410],
    ["401", 401, 401],
    ["403", 403, 403],
    ["429", { status: 429, headers: { "retry-after": "1" } }, 429]
  ] as const)("refuses Streamable HTTP on its URL with %s", ([_name, streamable, status]) =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make(streamable === undefined ? {} : { streamable })
      const post = Effect.promise(() => fetch(server.url, { method: "POST", body: "{}" }))
      assert.strictEqual((yield* post).status, status)
      yield* server.refuseStreamable(418)
      assert.strictEqual((yield* post).status, 418)
      assert.strictEqual(yield* callTool(yield* connectSse(server.url), "echo"), "{}")
    })
  )

  it.live("announces whatever endpoint it is told", () =>
    Effect.gen(function* () {
      const other = yield* RecordingServer.make()
      const server = yield* LoopbackSseServer.make()
      for (const endpoint of [`${other.url}messages`, "//evil.example/messages", "data:text/plain,x"]) {
        yield* server.announce(() => endpoint)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(start(server.url))))
      }
      assert.lengthOf(yield* other.requests, 0)
      assert.isTrue((yield* server.requests).every(({ httpMethod }) => httpMethod === "GET"))
    })
  )

  it.live("announces no endpoint at all, and leaves the client waiting", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make({ endpoint: () => undefined })
      const waiting = yield* Effect.forkChild(Effect.exit(start(server.url)))
      yield* eventually(server.sessions, (open) => open.length === 1)
      assert.isUndefined(waiting.pollUnsafe())
      yield* server.closeStreams
    })
  )

  it.live("ends its streams, and knows their sessions no more", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      yield* connectSse(server.url)
      const message = (yield* server.requests).find(({ httpMethod }) => httpMethod === "POST")
      yield* server.closeStreams
      const endpoint = new URL(message?.path ?? "", server.url)
      const late = yield* Effect.promise(() => fetch(endpoint, { method: "POST", body: "{}" }))
      assert.strictEqual(late.status, 404)
    })
  )

  it.live.each(["close", "reset"] as const)("breaks its streams with a %s", (how) =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      yield* connectSse(server.url)
      assert.strictEqual(yield* server.breakOpen(how), 1)
      // The official client opens another one, whose session has not been initialized.
      yield* eventually(server.requests, (requests) => {
        return requests.filter(({ httpMethod, status }) => httpMethod === "GET" && status === 200).length === 2
      })
    })
  )

  it.live("goes silent: what it says of a call never comes", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const client = yield* connectSse(server.url)
      assert.strictEqual(yield* server.breakOpen("silence"), 1)
      const call = Effect.tryPromise(() => client.callTool({ name: "echo", arguments: {} }, { timeout: 100 }))
      yield* Effect.flip(call)
      const taken = (yield* server.requests).filter(({ toolName, status }) => toolName === "echo" && status === 202)
      assert.lengthOf(taken, 1)
    })
  )

  it.live("tells that a list changed, and logs, on the stream", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const client = yield* connectSse(server.url)
      const told: Array<unknown> = []
      client.setNotificationHandler("notifications/tools/list_changed", () => void told.push("tools"))
      client.setNotificationHandler("notifications/prompts/list_changed", () => void told.push("prompts"))
      client.setNotificationHandler("notifications/resources/list_changed", () => void told.push("resources"))
      client.setNotificationHandler("notifications/message", ({ params }) => void told.push(params.data))
      for (const list of ["tools", "prompts", "resources"] as const) yield* server.notifyChanged(list)
      yield* server.log("hello")
      yield* eventually(
        Effect.sync(() => told.length),
        (count) => count === 4
      )
      assert.deepStrictEqual(told, ["tools", "prompts", "resources", "hello"])
    })
  )
})

/** Opens the stream of the official client's transport, which is closed again. */
const start = (url: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new SSEClientTransport(new URL(url))),
    (transport) => Effect.tryPromise(() => transport.start()),
    (transport) => Effect.promise(() => transport.close())
  )
