/** A fetch that is bound to one call, as code takes it that builds a transport of its own. */
import { assert, describe, it } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import { McpError } from "@letterhead/mcp/McpError"
import { redirect } from "@letterhead/testing/LoopbackServerFault"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport as OlderSseTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StreamableHTTPClientTransport as OlderTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inspect } from "node:util"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"

const INFO = { name: "runtime", version: "1.0.0" }
const ONE: CallContext = { principal: "ada", sessionId: "one" }

const token = (generation: number) => `token-${generation}`
const isCall = ({ rpcMethod }: RecordedRequest) => rpcMethod === "tools/call"

/** A client of a runtime that builds its transport around a fetch. */
const connect = Effect.fnUntraced(function* (
  options: { readonly client: Clients.ClientKind },
  { server, transport }: Harness.Harness,
  call: CallContext
): Effect.fn.Return<(name: string, args: Record<string, unknown>) => Promise<unknown>, McpError, Scope.Scope> {
  const fetch = yield* transport.fetch("example", call)
  const url = new URL(server.url)
  if (options.client === "SDK 1") {
    const client = new OlderClient(INFO)
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect(new OlderTransport(url, { fetch }))),
      () => Effect.promise(() => client.close())
    )
    return (name, args) => client.callTool({ name, arguments: args })
  }
  const client = new Client(INFO, { versionNegotiation: { mode: "auto" } })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.connect(new StreamableHTTPClientTransport(url, { fetch }))),
    () => Effect.promise(() => client.close())
  )
  return (name, args) => client.callTool({ name, arguments: args })
})

describe("a client whose transport is built around a fetch of one call", () => {
  for (const options of Clients.cases) {
    const name = `${options.client}, ${options.era}, ${options.responses}`

    it.live(`sends every request with the headers of that call (${name})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const callTool = yield* connect(options, harness, ONE)
            yield* Effect.promise(() => callTool("echo", { session: "one" }))
          })
        )
        const requests = yield* harness.server.requests
        const marks = new Set(requests.filter(isCall).map(({ headers }) => headers.get("x-session")))
        assert.deepStrictEqual(marks, new Set(["one"]))
        assert.isTrue(requests.every(({ headers }) => headers.get("x-principal") === "ada"))
        const contexts = harness.resolver.resolved
        assert.isTrue(
          contexts.every(
            ({ principal, server, sessionId }) => principal === "ada" && server === "example" && sessionId === "one"
          )
        )
        assert.isTrue(
          contexts.some(
            ({ callId, method, tool }) => method === "tools/call" && tool === "echo" && callId !== undefined
          )
        )
        assert.strictEqual(harness.resolver.closed, 1)
      })
    )

    it.live(`F53, F54: 100 calls with an expired token all succeed after one renewal (${name})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ ...options, resolver: { token, beforeRenewal: Effect.sleep(20) } })
        const callTool = yield* connect(options, harness, ONE)
        yield* harness.server.tokens.accept(token(2))
        yield* harness.server.tokens.demand
        const results = yield* Effect.promise(() =>
          Promise.all(Array.from({ length: 100 }, (_, index) => callTool("echo", { index })))
        )
        assert.strictEqual(results.length, 100)
        assert.strictEqual(harness.resolver.renewals, 1)
      })
    )

    it.live(`F52, F83: rejects with the error of a connection, masked (${name})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({
          ...options,
          resolver: { challenge: "give up", fields: { "x-key": "canary-4711" } }
        })
        const callTool = yield* connect(options, harness, ONE)
        yield* harness.server.respondNext({ status: 401, when: isCall, body: JSON.stringify({ error: "canary-4711" }) })
        const error = yield* Effect.promise(() =>
          callTool("echo", {}).then(
            () => undefined,
            (cause: unknown) => cause
          )
        )
        assert.instanceOf(error, McpError)
        assert.strictEqual(error.server, "example")
        assert.strictEqual(error.reason._tag, "Unauthorized")
        assert.notInclude(`${error.message}${JSON.stringify(error)}`, "canary-4711")
        yield* harness.server.respondNext({ status: 418, when: isCall, body: "no canary-4711" })
        const left = yield* Effect.promise(() => callTool("echo", {}).catch((cause: unknown) => inspect(cause)))
        assert.include(left, "no ***")
        assert.notInclude(left, "canary-4711")
      })
    )
  }

  it.live("two of them are two calls, and share nothing", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const one = yield* connect({ client: "SDK 2" }, harness, ONE)
      const two = yield* connect({ client: "SDK 2" }, harness, { principal: "bob", sessionId: "two" })
      yield* Effect.promise(() => Promise.all([one("echo", { session: "one" }), two("echo", { session: "two" })]))
      const requests = (yield* harness.server.requests).filter(isCall)
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.strictEqual(harness.resolver.opened, 2)
    })
  )
})

/** The reason that a request is refused for. */
const rejection = (request: Promise<Response>) =>
  Effect.promise(() =>
    request.then(
      () => "",
      (error: unknown) => (error instanceof McpError ? error.reason._tag : "")
    )
  )

describe("a fetch of one call", () => {
  it.live("F43, F46: sends headers to the endpoint of the entry alone", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      const fetch = yield* transport.fetch("example", ONE)
      assert.strictEqual(yield* rejection(fetch("http://127.0.0.1:1/mcp")), "RedirectRefused")
      yield* server.respondNext(redirect(307, "http://other.example/mcp"))
      assert.strictEqual(yield* rejection(fetch(server.url, { method: "POST", body: "{}" })), "RedirectRefused")
      yield* server.clear
      yield* Effect.promise(() => fetch(new URL("/.well-known/oauth-protected-resource", server.url)))
      assert.isFalse((yield* server.requests).some(({ headers }) => headers.has("x-session")))
    })
  )

  it.live("ends with its scope: what is under way is aborted, and nothing more is sent", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      yield* server.respondNext({ hang: "before headers" })
      const [fetch, hanging] = yield* Effect.scoped(
        Effect.gen(function* () {
          const made = yield* transport.fetch("example", ONE)
          const rejected = made(server.url, { method: "POST", body: "{}" }).then(() => "", String)
          yield* Harness.until(Effect.map(server.requests, ({ length }) => length === 1))
          return [made, rejected] as const
        })
      )
      assert.include(yield* Effect.promise(() => hanging), "the scope that this fetch was made in is closed")
      const late = yield* Effect.promise(() => fetch(server.url).then(() => "", String))
      assert.include(late, "nothing more is sent")
      assert.strictEqual((yield* server.requests).length, 1)
    })
  )

  it.live("ends a request with the signal of whoever sends it, and with that reason", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      const fetch = yield* transport.fetch("example", ONE)
      yield* server.respondNext({ hang: "before headers" })
      const ending = new AbortController()
      const rejected = fetch(server.url, { method: "POST", body: "{}", signal: ending.signal }).then(
        () => undefined,
        (error: unknown) => error
      )
      yield* Harness.until(Effect.map(server.requests, ({ length }) => length === 1))
      const reason = new Error("enough")
      ending.abort(reason)
      assert.strictEqual(yield* Effect.promise(() => rejected), reason)
    })
  )

  it.live("carries the headers to the path that a server of HTTP+SSE names", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackSseServer.make()
      const harness = yield* Harness.make({ era: "legacy", url: server.url })
      const entry = EntryFixture.entry({ url: server.url, transport: "sse" })
      const fetch = yield* harness.transport.fetch(entry, ONE)
      const client = new OlderClient(INFO)
      const transport = new OlderSseTransport(new URL(server.url), { fetch, eventSourceInit: { fetch } })
      yield* Effect.acquireRelease(
        Effect.promise(() => client.connect(transport)),
        () => Effect.promise(() => client.close())
      )
      yield* Effect.promise(() => client.callTool({ name: "echo", arguments: { session: "one" } }))
      const requests = yield* server.requests
      const posts = requests.filter(({ httpMethod }) => httpMethod === "POST")
      assert.isAtLeast(posts.length, 3)
      assert.isTrue(requests.every(({ headers }) => headers.get("x-principal") === "ada"))
      assert.isTrue(posts.filter(isCall).every(({ headers }) => headers.get("x-session") === "one"))
      assert.isTrue(posts.every(({ path }) => path.startsWith("/messages")))
    })
  )

  it.live("cannot be had of a program", () =>
    Effect.gen(function* () {
      const { transport } = yield* Harness.make({ era: "modern" })
      const entry = EntryFixture.entry({ stdio: { command: "true" } })
      const reason = yield* Harness.reasonOf(transport.fetch(entry))
      assert.deepInclude(reason, { _tag: "TransportUnsupported", transport: "stdio" })
    })
  )
})
