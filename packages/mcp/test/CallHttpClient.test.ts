/** Effect's own MCP client over an `HttpClient` of ours. */
import { assert, describe, it } from "@effect/vitest"
import { McpError } from "@letterhead/mcp/McpError"
import { redirect } from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as McpClient from "effect/ai/McpClient"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as EffectClient from "./support/EffectClient.ts"
import * as Harness from "./support/Harness.ts"

const isCall = ({ rpcMethod }: RecordedRequest) => rpcMethod === "tools/call"
const isCancellation = ({ rpcMethod }: RecordedRequest) => rpcMethod === "notifications/cancelled"

const token = (generation: number) => `token-${generation}`

const TRACES = ["traceparent", "b3", "tracestate", "x-b3-traceid"]

for (const options of Harness.cases) {
  describe(`McpClient, ${options.era}, ${options.responses}`, () => {
    it.live("sends each call with the headers of its session, everything else with those of the connection", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* EffectClient.connect(options, harness)
            yield* Effect.forEach(
              ["one", "two", "three"],
              (session) => client.callTool("echo", { session }).pipe(Harness.asSession(session)),
              { concurrency: "unbounded" }
            )
          })
        )
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(Harness.crossed(requests.filter(({ rpcMethod }) => rpcMethod !== "tools/list")), [])
        assert.strictEqual(requests.filter(isCall).length, 3)
        const ended = requests.filter(({ httpMethod }) => httpMethod === "DELETE")
        assert.strictEqual(ended.length, options.era === "legacy" ? 1 : 0)
        assert.isTrue(requests.every(({ headers }) => TRACES.every((name) => !headers.has(name))))
        assert.strictEqual(harness.resolver.closed, 1)
      })
    )

    it.live("hands the tools of a server to a toolkit, each call with the headers of its fiber", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        const { mcp } = yield* EffectClient.connect(options, harness)
        const toolkit = yield* McpClient.toolkit(mcp).pipe(Harness.asSession("one"))
        const use = (session: string) =>
          Effect.flatMap(toolkit.handle("echo", { session }), Stream.runCollect).pipe(Harness.asSession(session))
        yield* Effect.forEach(["one", "two"], use, { concurrency: "unbounded" })
        const requests = (yield* harness.server.requests).filter(isCall)
        assert.strictEqual(requests.length, 2)
        assert.deepStrictEqual(Harness.crossed(requests), [])
      })
    )

    it.live("F53, F54: 100 calls with an expired token all succeed after one renewal", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ ...options, resolver: { token, beforeRenewal: Effect.sleep(20) } })
        const client = yield* EffectClient.connect(options, harness)
        yield* harness.server.tokens.accept(token(2))
        yield* harness.server.tokens.demand
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => `session-${index % 10}`),
          (session) => client.callTool("echo", { session }).pipe(Harness.asSession(session)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(harness.resolver.renewals, 1)
        assert.deepStrictEqual(Harness.crossed((yield* harness.server.requests).filter(isCall)), [])
      })
    )

    it.live("F83: an error of the server says nothing of what was sent to it", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ ...options, resolver: { fields: { "x-key": "canary-4711" } } })
        const client = yield* EffectClient.connect(options, harness)
        const error = { code: -32_000, message: "bad canary-4711", data: "canary-4711" }
        yield* harness.server.respondNext({
          status: 400,
          when: isCall,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ jsonrpc: "2.0", id: null, error })
        })
        const failure = yield* client.callTool("echo", {}).pipe(Harness.asSession("one"), Effect.flip)
        assert.deepInclude(failure.reason, { _tag: "HttpError", status: 400, description: "bad ***", data: "***" })
      })
    )

    it.live("an interrupted call is cancelled at the server, with its own headers", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        const client = yield* EffectClient.connect(options, harness)
        const slow = yield* client
          .callTool("slow", { session: "one", ms: 60_000 })
          .pipe(Harness.asSession("one"), Effect.forkChild)
        yield* Harness.until(Effect.map(harness.server.slowCalls, ({ length }) => length === 1))
        yield* Fiber.interrupt(slow)
        yield* Harness.until(Effect.map(harness.server.slowCalls, ([call]) => call?.outcome === "cancelled"))
        const requests = yield* harness.server.requests
        const cancellations = requests.filter(isCancellation)
        assert.strictEqual(cancellations.length, options.era === "legacy" ? 1 : 0)
        assert.deepStrictEqual(Harness.crossed(cancellations), [])
      })
    )

    it.live("a call of another principal is refused before anything is sent, and a redirect is not followed", () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        const client = yield* EffectClient.connect(options, harness)
        const causeOf = (principal: string) =>
          client.callTool("echo", {}).pipe(
            Harness.asSession("one", { principal }),
            Effect.flip,
            Effect.map((error) => mcpErrorIn(error)?.reason)
          )
        assert.deepInclude(yield* causeOf("bob"), { _tag: "PrincipalMismatch", call: "bob" })
        assert.deepStrictEqual((yield* harness.server.requests).filter(isCall), [])
        yield* harness.server.respondNext({ ...redirect(307, "http://other.example/mcp"), when: isCall })
        assert.deepInclude(yield* causeOf("ada"), { _tag: "RedirectRefused", target: "http://other.example" })
      })
    )
  })
}

const mcpErrorIn = (error: unknown): McpError | undefined => {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof McpError) return cause
    if ("reason" in cause && cause.reason instanceof Error) return mcpErrorIn(cause.reason)
  }
  return undefined
}

const request = (url: string) => HttpClientRequest.post(url).pipe(HttpClientRequest.bodyJsonUnsafe({ ping: true }))

describe("the HttpClient of an entry", () => {
  it.live("sends traces upstream only where the fiber asks for it", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      const client = yield* transport.httpClient("example", { principal: "ada" })
      const send = client.execute(request(server.url))
      const traced = (name: string) =>
        Effect.map(server.requests, (requests) => requests.at(-1)?.headers.has(name) ?? false)
      yield* send.pipe(Effect.withSpan("outer"))
      assert.isFalse(yield* traced("traceparent"))
      yield* send.pipe(
        Effect.withSpan("outer"),
        Effect.provideService(HttpClient.TracerDisabledWhen, () => false)
      )
      assert.isFalse(yield* traced("traceparent"))
      yield* send.pipe(Effect.withSpan("outer"), Effect.provideService(HttpClient.TracerPropagationEnabled, true))
      assert.isTrue(yield* traced("traceparent"))
    })
  )

  it.live("sends bodies of every kind as they are", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      const client = yield* transport.httpClient("example", { principal: "ada" })
      const post = HttpClientRequest.post(server.url)
      const form = new FormData()
      form.set("field", "value")
      const bodies = [
        HttpClientRequest.bodyText(post, "text"),
        HttpClientRequest.bodyUint8Array(post, new TextEncoder().encode("bytes")),
        HttpClientRequest.bodyStream(
          post,
          Stream.make(new TextEncoder().encode("stre"), new TextEncoder().encode("am"))
        ),
        HttpClientRequest.bodyFormData(post, form)
      ]
      for (const body of bodies) yield* client.execute(body)
      const received = (yield* server.requests).map(({ body }) => body)
      assert.deepStrictEqual(received.slice(0, 3), ["text", "bytes", "stream"])
      assert.include(received[3], "value")
    })
  )

  it.live("says in an error of effect/http what an error of a connection says", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern", resolver: { challenge: "give up" } })
      const client = yield* transport.httpClient("example", { principal: "ada" })
      yield* server.respondNext({ status: 401 })
      const error = yield* Effect.flip(client.execute(request(server.url)))
      assert.strictEqual(error._tag, "HttpClientError")
      assert.instanceOf(error.cause, McpError)
      assert.include(error.message, 'server "example": 401')
    })
  )

  it.live("ends a request when its fiber is interrupted", () =>
    Effect.gen(function* () {
      const { server, transport } = yield* Harness.make({ era: "modern" })
      const client = yield* transport.httpClient("example", { principal: "ada" })
      yield* server.respondNext({ hang: "after headers" })
      const reading = yield* client.execute(request(server.url)).pipe(
        Effect.flatMap(({ text }) => text),
        Effect.forkChild
      )
      yield* Harness.until(Effect.map(server.requests, ([first]) => first?.status !== undefined))
      yield* Fiber.interrupt(reading)
      yield* Harness.until(Effect.map(server.breakOpen("close"), (open) => open === 0))
    })
  )
})
