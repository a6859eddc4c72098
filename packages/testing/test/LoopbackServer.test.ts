import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import { callTool, connect, eventually } from "./ClientFixture.ts"

const KINDS = (["legacy", "modern", "both"] as const).flatMap((era) =>
  (["json", "sse"] as const).map((responses) => ({ era, responses }))
)

describe.each(KINDS)("LoopbackServer, era $era, responses $responses", (options) => {
  it.live("serves the official client, which negotiates the era", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      const client = yield* connect(server.url)
      assert.strictEqual(client.getProtocolEra(), options.era === "legacy" ? "legacy" : "modern")

      const tools = yield* Effect.promise(() => client.listTools())
      assert.includeMembers(
        tools.tools.map((tool) => tool.name),
        ["echo", "whoami", "slow", "fail", "drop"]
      )
      assert.strictEqual(yield* callTool(client, "echo", { word: "hello" }), '{"word":"hello"}')
      const failed = yield* Effect.promise(() => client.callTool({ name: "fail", arguments: {} }))
      assert.isTrue(failed.isError)
      const prompt = yield* Effect.promise(() => client.getPrompt({ name: "greeting", arguments: { session: "anna" } }))
      assert.deepStrictEqual(prompt.messages[0]?.content, { type: "text", text: "hello anna" })
      const resource = yield* Effect.promise(() => client.readResource({ uri: "loopback://note" }))
      assert.strictEqual(resource.contents[0]?.uri, "loopback://note")
    })
  )

  it.live("answers whoami with the headers it received, and records the same", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      const client = yield* connect(server.url, { "X-Session": "s-1" })
      const seen: unknown = JSON.parse(yield* callTool(client, "whoami"))
      const call = (yield* server.requests).find((request) => request.toolName === "whoami")
      assert.deepInclude(seen, { "x-session": "s-1" })
      assert.strictEqual(call?.headers.get("x-session"), "s-1")
      assert.strictEqual(call?.rpcMethod, "tools/call")
      assert.strictEqual(call?.status, 200)
    })
  )

  it.live("answers as one JSON body or as a stream, as it was told", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      const types: Array<string | null> = []
      yield* Effect.promise(async () => {
        const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
        const transport = new StreamableHTTPClientTransport(new URL(server.url), {
          fetch: async (url, init) => {
            const response = await fetch(url, init)
            const isCall = typeof init?.body === "string" && init.body.includes('"tools/call"')
            if (isCall) types.push(response.headers.get("content-type"))
            return response
          }
        })
        await client.connect(transport)
        await client.callTool({ name: "echo", arguments: {} })
        await client.close()
      })
      assert.deepStrictEqual(types, [options.responses === "json" ? "application/json" : "text/event-stream"])
    })
  )

  it.live("says of a call that was given up that it was cancelled", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      const client = yield* connect(server.url)
      const call = yield* Effect.forkChild(
        Effect.promise((signal) =>
          client.callTool({ name: "slow", arguments: { ms: 60_000, session: "s-1" } }, { signal })
        )
      )
      yield* eventually(server.slowCalls, (calls) => calls.length === 1)
      yield* Fiber.interrupt(call)
      const calls = yield* eventually(server.slowCalls, ([first]) => first?.outcome !== "running")
      assert.deepStrictEqual(calls, [{ sessionMark: "s-1", outcome: "cancelled" }])

      const cancelled = (yield* server.requests).filter((request) => request.rpcMethod === "notifications/cancelled")
      // The modern era cancels by closing the stream.
      assert.deepStrictEqual(
        cancelled.map((request) => request.sessionMark),
        options.era === "legacy" ? ["s-1"] : []
      )
    })
  )

  it.live("refuses with 401 while a token is demanded and the request carries none", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      yield* server.tokens.accept("good")
      yield* server.tokens.demand
      const wrong = yield* Effect.exit(Effect.scoped(connect(server.url, { authorization: "Bearer bad" })))
      assert.isTrue(Exit.isFailure(wrong))
      assert.deepStrictEqual([...new Set((yield* server.requests).map((request) => request.status))], [401])

      const client = yield* connect(server.url, { authorization: "Bearer good" })
      assert.strictEqual(yield* callTool(client, "echo"), "{}")

      yield* server.tokens.expireAll
      assert.isTrue(Exit.isFailure(yield* Effect.exit(callTool(client, "echo"))))
      yield* server.demandNothing
      assert.strictEqual(yield* callTool(client, "echo"), "{}")
    })
  )

  it.live("keeps 200 calls at a time apart", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make(options)
      const client = yield* connect(server.url)
      const marks = Array.from({ length: 200 }, (_, index) => `s-${index}`)
      const answers = yield* Effect.forEach(marks, (session) => callTool(client, "echo", { session }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        answers,
        marks.map((session) => JSON.stringify({ session }))
      )
      const recorded = (yield* server.requests).flatMap((request) => request.sessionMark ?? [])
      assert.sameMembers(recorded, marks)
    })
  )
})

describe("LoopbackServer, legacy", () => {
  it.live("drops the stream of a call and answers on the one that the client resumes", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy", responses: "sse" })
      const client = yield* connect(server.url)
      const sessions = ["s-1", "s-2", "s-3"]
      const answers = yield* Effect.forEach(sessions, (session) => callTool(client, "drop", { session, ms: 150 }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers, ["resumed", "resumed", "resumed"])
      const resumed = (yield* server.requests).filter((request) => request.headers.has("last-event-id"))
      assert.isTrue(resumed.every((request) => request.httpMethod === "GET" && request.status === 200))
      assert.sameMembers([...new Set(resumed.map((request) => request.sessionMark))], sessions)
    })
  )

  it.live("pings the client in the middle of a call, and records the reply", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy", responses: "sse" })
      const client = yield* connect(server.url)
      yield* server.clear
      assert.strictEqual(yield* callTool(client, "ask"), "answered")
      const reply = (yield* server.requests).find((request) => request.httpMethod === "POST" && !request.rpcMethod)
      assert.include(reply?.body, '"result"')
    })
  )

  it.live("gives each client a session, and ends it with DELETE or at once for all", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const first = yield* connect(server.url)
      const second = yield* connect(server.url)
      assert.lengthOf(yield* server.sessions, 2)

      const transport = first.transport
      assert.instanceOf(transport, StreamableHTTPClientTransport)
      yield* Effect.promise(() => transport.terminateSession())
      assert.lengthOf(yield* server.sessions, 1)

      yield* server.endSessions
      assert.lengthOf(yield* server.sessions, 0)
      yield* server.clear
      assert.isTrue(Exit.isFailure(yield* Effect.exit(callTool(second, "echo"))))
      assert.deepStrictEqual(
        (yield* server.requests).filter((request) => request.httpMethod === "POST").map((request) => request.status),
        [404]
      )
    })
  )

  it.live("closes the GET stream, and the client opens it again", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      yield* connect(server.url)
      const streams = Effect.map(server.requests, (requests) =>
        requests.filter((request) => request.httpMethod === "GET" && request.status === 200)
      )
      yield* eventually(streams, (open) => open.length === 1)
      yield* server.closeStreams
      yield* eventually(streams, (open) => open.length === 2)
    })
  )

  it.live("tells on the GET stream that the tools changed", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const client = yield* connect(server.url)
      const told = new Promise<string>((resolve) => {
        client.setNotificationHandler("notifications/tools/list_changed", () => resolve("told"))
      })
      yield* eventually(server.requests, (requests) =>
        requests.some((request) => request.httpMethod === "GET" && request.status === 200)
      )
      yield* server.notifyToolsChanged
      assert.strictEqual(yield* Effect.promise(() => told), "told")
    })
  )
})

describe("LoopbackServer", () => {
  it.live("records a header parameter of the modern era", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const client = yield* connect(server.url)
      yield* Effect.promise(() => client.listTools())
      assert.strictEqual(yield* callTool(client, "region", { region: "eu" }), "eu")
      const call = (yield* server.requests).find((request) => request.toolName === "region")
      assert.strictEqual(call?.headers.get("mcp-param-region"), "eu")
      assert.strictEqual(call?.headers.get("mcp-name"), "region")
    })
  )

  it.live("records every request by path, with fields that came twice joined", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const elsewhere = new URL("/.well-known/oauth-protected-resource?x=1", server.url)
      const status = yield* Effect.promise(
        () =>
          new Promise((resolve, reject) => {
            const headers = ["Host", elsewhere.host, "X-Twice", "a", "x-twice", "b", "Authorization", "1"]
            Http.get(elsewhere, { headers: [...headers, "authorization", "2"] }, (response) => {
              response.resume()
              resolve(response.statusCode)
            }).once("error", reject)
          })
      )
      assert.strictEqual(status, 404)
      const [request, ...others] = yield* server.requests
      assert.lengthOf(others, 0)
      assert.strictEqual(request?.path, "/.well-known/oauth-protected-resource?x=1")
      assert.strictEqual(request?.headers.get("x-twice"), "a, b")
      // Node's own map would have kept the first only.
      assert.strictEqual(request?.headers.get("authorization"), "1, 2")
    })
  )

  it.live("lets a predicate decide, with the status, fields and body it names", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({
        era: "both",
        accept: (headers, request) =>
          headers.get("x-tenant") === "acme"
            ? undefined
            : { status: 403, headers: { "x-why": request.httpMethod }, body: "not yours" }
      })
      const refused = yield* Effect.promise(() => fetch(server.url, { method: "POST", body: "{}" }))
      assert.strictEqual(refused.status, 403)
      assert.strictEqual(refused.headers.get("x-why"), "POST")
      assert.strictEqual(yield* Effect.promise(() => refused.text()), "not yours")
      assert.strictEqual(yield* callTool(yield* connect(server.url, { "x-tenant": "acme" }), "echo"), "{}")

      yield* server.demand(() => 503)
      const unavailable = yield* Effect.promise(() => fetch(server.url, { method: "POST", body: "{}" }))
      assert.strictEqual(unavailable.status, 503)
    })
  )

  it.live("answers 400 to what is not JSON", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const response = yield* Effect.promise(() => fetch(server.url, { method: "POST", body: "hello" }))
      assert.strictEqual(response.status, 400)
    })
  )

  it.live("forgets what it recorded when it is told to, and nothing else", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const client = yield* connect(server.url)
      yield* server.clear
      yield* callTool(client, "echo", { session: "s-1" })
      const calls = (yield* server.requests).filter((request) => request.httpMethod === "POST")
      assert.deepStrictEqual(
        calls.map((request) => request.sessionMark),
        ["s-1"]
      )
    })
  )

  it.live("closes its sockets at the end of its scope, whatever they wait for", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(LoopbackServer.make({ era: "both" }), scope)
      yield* server.respondNext({ hang: "before headers" })
      const hanging = fetch(server.url, { method: "POST", body: "{}" }).then(
        () => "answered",
        () => "closed"
      )
      yield* eventually(server.requests, (requests) => requests.length === 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Effect.promise(() => hanging), "closed")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => fetch(server.url)))))
    })
  )
})
