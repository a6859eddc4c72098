/** Servers that speak the deprecated HTTP+SSE transport; faults F43, F47, F48, F58, F59 and F82. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as LoopbackServerFault from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"
import { make, isGet, waysOf } from "./support/Sse.ts"

const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"

describe("headers", () => {
  it.live("F48: 1,000 calls of 20 sessions on one stream each carry their own, the stream its owner's", () =>
    Effect.gen(function* () {
      const { server, connect, nothingHeld } = yield* make()
      const connection = yield* connect
      assert.strictEqual(connection.era, "legacy")
      const answers = yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, index) => ({ session: `session-${index % 20}`, index })),
        (args) =>
          Effect.map(connection.callTool("echo", args).pipe(Harness.asSession(args.session)), (answer) => ({
            args,
            answer
          })),
        { concurrency: 64 }
      )
      for (const { args, answer } of answers) {
        assert.deepStrictEqual(answer.content, [{ type: "text", text: JSON.stringify(args) }])
      }
      const requests = yield* server.requests
      assert.strictEqual(requests.filter(isCall).length, 1_000)
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.strictEqual(requests.find(isGet)?.headers.get("x-session"), ownerMark("ada"))
      assert.strictEqual(requests.findLast(isCall)?.headers.get("mcp-protocol-version"), connection.protocolVersion)
      yield* nothingHeld
    })
  )

  it.live("a token that expired is renewed once, for the stream as for the messages", () =>
    Effect.gen(function* () {
      const { server, resolver, connect } = yield* make({
        demandToken: true,
        resolver: { token: (generation) => `token-${generation}` }
      })
      yield* server.tokens.accept("token-2")
      const connection = yield* connect
      assert.strictEqual(resolver.renewals, 1)
      yield* server.tokens.expireAll
      yield* server.tokens.accept("token-3")
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => `session-${index}`),
        (session) => connection.callTool("echo", { session }).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(resolver.renewals, 2)
      assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
    })
  )
})

describe("the endpoint that the server names", () => {
  const elsewhere: Record<string, (origin: string, other: string) => string> = {
    "at another origin": (_origin, other) => `${other}/messages`,
    "protocol-relative": (_origin, other) => `${other.replace("http:", "")}/messages`,
    "of another scheme": (origin) => `${origin.replace("http:", "https:")}/messages`,
    opaque: () => "data:text/plain,messages",
    "a script": () => "javascript:void(0)",
    "opaque with this origin within": (origin) => `blob:${origin}/messages`,
    "with credentials": (origin) => `${origin.replace("http://", "http://user:password@")}/messages`,
    "no URL": () => "http://[/messages"
  }
  for (const [what, endpointOf] of Object.entries(elsewhere)) {
    it.live(`F47: ${what} is refused, and nothing is sent anywhere`, () =>
      Effect.gen(function* () {
        let reached = 0
        const other = yield* LoopbackListener.listen((_request, response) => {
          reached += 1
          response.end()
        })
        const { server, connect } = yield* make()
        const { origin } = new URL(server.url)
        yield* server.announce(() => endpointOf(origin, other))
        const reason = yield* Harness.reasonOf(connect)
        assert.strictEqual(reason._tag, "ProtocolFailed")
        assert.include(reason.message, "not at its own origin")
        assert.notInclude(reason.message, "password")
        assert.deepStrictEqual(waysOf(yield* server.requests), ["GET"])
        assert.strictEqual(reached, 0)
        yield* Harness.until(Effect.map(server.sessions, (sessions) => sessions.length === 0))
      })
    )
  }

  it.live("F47: under /.well-known/ gets no header of ours", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ connectTimeout: 500 })
      yield* server.announce(() => "/.well-known/messages")
      yield* Effect.flip(connect)
      const posts = (yield* server.requests).filter((request) => !isGet(request))
      assert.isTrue(posts.every(({ headers }) => !headers.has("x-session")))
    })
  )

  for (const status of [301, 302, 303, 307, 308] as const) {
    it.live(`F43: a ${status} of the stream, or of a message, to another origin is not followed`, () =>
      Effect.gen(function* () {
        const elsewhere = yield* RecordingServer.make()
        const away = LoopbackServerFault.redirect(status, `${elsewhere.url}mcp?key=1`)
        const refused = { _tag: "RedirectRefused", target: new URL(elsewhere.url).origin } as const
        const { server, connect } = yield* make()
        yield* server.respondNext({ ...away, when: isGet })
        assert.deepInclude(yield* Harness.reasonOf(connect), refused)
        const connection = yield* connect
        yield* server.respondNext({ ...away, when: isCall })
        assert.deepInclude(
          yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one"))),
          refused
        )
        assert.deepStrictEqual(yield* elsewhere.requests, [])
      })
    )
  }

  it.live("F58: none at all is waited for as long as connecting may take", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ connectTimeout: 300, endpoint: () => undefined })
      assert.deepInclude(yield* Harness.reasonOf(connect), { _tag: "CallTimedOut", operation: "connecting" })
      yield* Harness.until(Effect.map(server.sessions, (sessions) => sessions.length === 0))
    })
  )

  it.live("F58: none at all is no way to fall back to either", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ type: "auto", connectTimeout: 300, endpoint: () => undefined })
      assert.deepInclude(yield* Harness.reasonOf(connect), { _tag: "CallTimedOut", operation: "connecting" })
      yield* Harness.until(Effect.map(server.sessions, (sessions) => sessions.length === 0))
    })
  )
})

describe("a runtime's own client", () => {
  for (const client of ["SDK 1", "SDK 2"] as const) {
    for (const type of ["sse", "auto"] as const) {
      it.live(`reaches such a server, each call with the headers of its session (${client}, ${type})`, () =>
        Effect.gen(function* () {
          const { server, service, nothingHeld } = yield* make({ type })
          const runtime = yield* Clients.connect(client, service, { principal: "ada" })
          const sessions = Array.from({ length: 50 }, (_, index) => `session-${index}`)
          const answers = yield* Effect.forEach(
            sessions,
            (session) =>
              McpTransport.call((options) => runtime.callTool("echo", { session }, options)).pipe(
                Harness.asSession(session)
              ),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            answers.map(([text]) => text),
            sessions.map((session) => JSON.stringify({ session }))
          )
          const slow = McpTransport.call((options) => runtime.callTool("slow", { session: "one", ms: 60_000 }, options))
          const fiber = yield* Effect.forkChild(slow.pipe(Harness.asSession("one")))
          yield* Harness.until(Effect.map(server.slowCalls, (calls) => calls.length === 1))
          yield* Fiber.interrupt(fiber)
          yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
          assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
          yield* nothingHeld
        })
      )
    }
  }
})

describe("the life of a connection", () => {
  it.live("a call that is given up is cancelled at the server, with its own headers", () =>
    Effect.gen(function* () {
      const { server, connect, nothingHeld } = yield* make()
      const connection = yield* connect
      const slow = connection.callTool("slow", { session: "one", ms: 60_000 }).pipe(Harness.asSession("one"))
      const fiber = yield* Effect.forkChild(slow)
      yield* Harness.until(Effect.map(server.slowCalls, (calls) => calls.length === 1))
      yield* Fiber.interrupt(fiber)
      yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
      const cancelled = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "notifications/cancelled")
      assert.deepStrictEqual(
        cancelled.map(({ headers }) => headers.get("x-session")),
        ["one"]
      )
      yield* nothingHeld
    })
  )

  it.live("F82: a call that is cancelled while its 401 is being answered is not sent afterwards", () =>
    Effect.gen(function* () {
      const { server, connect, nothingHeld } = yield* make({
        resolver: { token: (generation) => `token-${generation}`, beforeRenewal: Effect.sleep(200) }
      })
      const connection = yield* connect
      yield* server.tokens.demand
      yield* server.tokens.accept("token-2")
      const fiber = yield* Effect.forkChild(
        connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      )
      yield* Harness.until(Effect.map(server.requests, (requests) => requests.some(({ status }) => status === 401)))
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep(400)
      assert.strictEqual((yield* server.requests).filter(isCall).length, 1)
      yield* nothingHeld
    })
  )

  for (const how of ["close", "reset"] as const) {
    it.live(`a stream that breaks (${how}) ends the calls under way, and the next is made in a new session`, () =>
      Effect.gen(function* () {
        const { server, resolver, connect, nothingHeld } = yield* make()
        const connection = yield* connect
        const slow = connection.callTool("slow", { session: "one", ms: 60_000 }).pipe(Harness.asSession("one"))
        const fiber = yield* Effect.forkChild(Harness.reasonOf(slow))
        yield* Harness.until(Effect.map(server.slowCalls, (calls) => calls.length === 1))
        yield* server.breakOpen(how, isGet)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "ConnectionClosed")
        yield* connection.callTool("echo", { session: "two" }).pipe(Harness.asSession("two"))
        assert.strictEqual((yield* server.slowCalls).length, 1)
        assert.strictEqual(resolver.reconnects, 1)
        assert.strictEqual((yield* server.sessions).length, 1)
        assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
        yield* nothingHeld
      })
    )
  }

  it.live("F59: a stream that says nothing any more is taken for dead, and a new one has fresh headers", () =>
    Effect.gen(function* () {
      const { server, resolver, connect } = yield* make({ limits: { silence: 300 } })
      yield* connect
      yield* server.breakOpen("silence", isGet)
      yield* Harness.until(Effect.sync(() => resolver.reconnects === 1))
      yield* Harness.until(Effect.map(server.requests, (requests) => requests.filter(isGet).length >= 2))
    })
  )

  it.live("a session of which the endpoint knows nothing is begun anew, and the call is made in it", () =>
    Effect.gen(function* () {
      const { server, resolver, connect } = yield* make()
      const connection = yield* connect
      yield* server.respondNext({ ...LoopbackServerFault.sessionNotFound, when: isCall })
      yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      assert.strictEqual(resolver.reconnects, 1)
      yield* Harness.until(Effect.map(server.sessions, (sessions) => sessions.length === 1))
    })
  )

  it.live("a message that the endpoint refuses is the error of its call, with what the server said", () =>
    Effect.gen(function* () {
      const { server, connect, nothingHeld } = yield* make()
      const connection = yield* connect
      yield* server.respondNext({ status: 400, body: "no such message", when: isCall })
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 400 })
      assert.include(reason.message, "no such message")
      yield* nothingHeld
    })
  )

  it.live("a URL of no event stream asks whether it is one", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make()
      yield* server.respondNext({ status: 200, headers: { "content-type": "text/html" }, body: "<html>", when: isGet })
      const reason = yield* Harness.reasonOf(connect)
      assert.strictEqual(reason._tag, "ProtocolFailed")
      assert.include(reason.message, "is this the URL of an SSE server?")
    })
  )

  it.live("the end of its scope closes the stream", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make()
      const scope = yield* Scope.make()
      yield* Scope.provide(connect, scope)
      assert.strictEqual((yield* server.sessions).length, 1)
      yield* Scope.close(scope, Exit.void)
      yield* Harness.until(Effect.map(server.sessions, (sessions) => sessions.length === 0))
    })
  )
})
