/** When a server is taken for one of HTTP+SSE, and when it never is; fault F61. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"
import { make, isGet, waysOf } from "./support/Sse.ts"

describe("the fallback of an entry without a type", () => {
  for (const status of [400, 404, 405, 406, 410, 415, 422]) {
    it.live(`F61: ${status} to initialize leads to HTTP+SSE, with headers resolved anew for each request`, () =>
      Effect.gen(function* () {
        const { server, resolver, connect } = yield* make({ type: "auto", streamable: status })
        const connection = yield* connect
        yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
        const requests = yield* server.requests
        assert.deepStrictEqual(waysOf(requests), [
          "server/discover",
          "initialize",
          "GET",
          "initialize",
          "notifications/initialized",
          "tools/call"
        ])
        assert.strictEqual(resolver.resolved.length, requests.length)
        assert.deepStrictEqual(Harness.crossed(requests), [])
      })
    )
  }

  for (const status of [401, 403, 408, 429, 500, 503]) {
    it.live(`F61: ${status} to initialize never leads to HTTP+SSE`, () =>
      Effect.gen(function* () {
        const { server, connect } = yield* make({
          type: "auto",
          limits: { retries: 0 },
          resolver: { challenge: "give up" }
        })
        yield* server.respondNext({ status, when: ({ rpcMethod }) => rpcMethod === "initialize" })
        const reason = yield* Harness.reasonOf(connect)
        assert.strictEqual(reason._tag, status === 401 ? "Unauthorized" : status === 403 ? "Forbidden" : "HttpFailed")
        assert.deepStrictEqual(waysOf(yield* server.requests), ["server/discover", "initialize"])
      })
    )
  }

  it.live("F61: a type of http disables it", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ type: "http" })
      assert.deepInclude(yield* Harness.reasonOf(connect), { _tag: "HttpFailed", status: 405 })
      assert.isFalse((yield* server.requests).some(isGet))
    })
  )

  it.live("F61: a type of sse tries nothing else", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make()
      yield* connect
      assert.deepStrictEqual(waysOf(yield* server.requests), ["GET", "initialize", "notifications/initialized"])
    })
  )

  it.live("F61: where neither is spoken, the error says what was tried and what to do", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ type: "auto" })
      yield* server.respondNext({ status: 404, when: isGet })
      const reason = yield* Harness.reasonOf(connect)
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 405 })
      for (const part of ["Streamable HTTP was answered 405", "HTTP+SSE: HTTP 404", 'Check "url"', '"type"']) {
        assert.include(reason.message, part)
      }
    })
  )

  it.live("F61: a stream that wants a credential says so, not that there is none", () =>
    Effect.gen(function* () {
      const { server, connect } = yield* make({ type: "auto", resolver: { challenge: "give up" } })
      yield* server.respondNext({ status: 401, when: isGet })
      assert.strictEqual((yield* Harness.reasonOf(connect))._tag, "Unauthorized")
    })
  )
})
