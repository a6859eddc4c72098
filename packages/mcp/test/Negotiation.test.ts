/** How a connection begins, and what it learns of the server then; faults F58 and F85. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, UrlInvalid } from "@letterhead/core/headers/HeaderError"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const isProbe = (request: RecordedRequest) => request.rpcMethod === "server/discover"

const eras = ["legacy", "modern"] as const

describe("the beginning", () => {
  for (const status of [401, 403, 408, 429, 500, 503]) {
    for (const era of eras) {
      it.live(`F85: a ${status} during negotiation is the error, and teaches nothing (${era})`, () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era, resolver: { challenge: "give up" }, limits: { retries: 0 } })
          yield* harness.server.respondNext({ status, when: isProbe, body: "not now" })
          const reason = yield* Harness.reasonOf(Effect.scoped(harness.connect))
          assert.strictEqual(reason._tag, status === 401 ? "Unauthorized" : status === 403 ? "Forbidden" : "HttpFailed")
          assert.include(reason.message, "not now")
          const tried = (yield* harness.server.requests).map(({ rpcMethod }) => rpcMethod)
          assert.deepStrictEqual(tried, ["server/discover"])
          assert.strictEqual((yield* Effect.scoped(harness.connect)).era, era)
        })
      )
    }
  }

  for (const status of [408, 429, 503]) {
    for (const era of eras) {
      it.live(`F85: one ${status} during negotiation is passed over, and teaches nothing (${era})`, () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era })
          yield* harness.server.respondNext({ status, when: isProbe })
          assert.strictEqual((yield* harness.connect).era, era)
          const [first, second] = (yield* harness.server.requests).map(({ rpcMethod }) => rpcMethod)
          assert.deepStrictEqual([first, second], ["server/discover", "server/discover"])
        })
      )
    }
  }

  it.live("F85: headers that cannot be put together during negotiation are the error, and nothing is sent", () =>
    Effect.gen(function* () {
      const error = new HeaderError({
        reason: new UrlInvalid({ rule: "is not one", place: { file: "letterhead.json" } })
      })
      let broken = true
      const beforeResolve = () => (broken ? Effect.fail(error) : Effect.void)
      const harness = yield* Harness.make({ era: "legacy", resolver: { beforeResolve } })
      const reason = yield* Harness.reasonOf(harness.connect)
      assert.strictEqual(reason._tag, "HeadersFailed")
      assert.deepStrictEqual(yield* harness.server.requests, [])
      broken = false
      // In the same scope: a failure is not kept.
      assert.strictEqual((yield* harness.connect).era, "legacy")
    })
  )

  it.live("F85: a token that is refused during negotiation is renewed there", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({
        era: "modern",
        resolver: { token: (generation) => `token-${generation}` },
        demandToken: true
      })
      yield* harness.server.tokens.accept("token-2")
      const connection = yield* harness.connect
      assert.strictEqual(connection.era, "modern")
      assert.strictEqual(harness.resolver.renewals, 1)
    })
  )

  it.live("F58: a server that accepts and never answers is given up after the connect budget", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", connectTimeout: 200 })
      yield* harness.server.respondNext({ hang: "before headers", times: 2 })
      const reason = yield* Harness.reasonOf(Effect.scoped(harness.connect))
      assert.deepInclude(reason, { _tag: "CallTimedOut", operation: "connecting", milliseconds: 200 })
      const after = yield* Harness.reasonOf(Effect.scoped(harness.connect))
      assert.strictEqual(after._tag, "CallTimedOut")
      assert.strictEqual(harness.resolver.closed, 2)
      assert.deepStrictEqual(harness.resolver.challenges, [])
      assert.strictEqual((yield* Effect.scoped(harness.connect)).era, "modern")
    })
  )

  it.live("a server that is not there is unreachable, and of the URL only the origin is shown", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", url: "http://127.0.0.1:9/s/canary/mcp?key=canary" })
      const reason = yield* Harness.reasonOf(harness.connect)
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, "cannot reach http://127.0.0.1:9:")
      assert.notInclude(reason.message, "canary")
    })
  )

  it.live("a server that answers with a page for people may not be an MCP server, and the error asks", () =>
    Effect.gen(function* () {
      const origin = yield* LoopbackListener.listen((_request, response) => {
        response.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>")
      })
      const harness = yield* Harness.make({ era: "modern", url: `${origin}/mcp` })
      const reason = yield* Harness.reasonOf(harness.connect)
      assert.strictEqual(reason._tag, "ProtocolFailed")
      assert.include(reason.message, "is this the URL of an MCP server?")
    })
  )

  it.live("an https:// URL of a server without TLS is unreachable, and the error says what it may be", () =>
    Effect.gen(function* () {
      const origin = yield* LoopbackListener.listen((_request, response) => void response.end())
      const harness = yield* Harness.make({ era: "modern", url: `${origin.replace("http:", "https:")}/mcp` })
      const reason = yield* Harness.reasonOf(harness.connect)
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, "is its URL http://?")
    })
  )

  it.live("an unknown server and a program that is not started have errors of their own, and nothing is sent", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const reasonFor = (server: Parameters<typeof harness.transport.connect>[0]) =>
        Harness.reasonOf(harness.transport.connect(server, { principal: "ada" }))
      assert.strictEqual((yield* reasonFor("nobody"))._tag, "ConfigFailed")
      const program = EntryFixture.entry({ stdio: { command: "node" } })
      assert.strictEqual((yield* reasonFor(program))._tag, "ProgramNotStarted")
      assert.deepStrictEqual(yield* harness.server.requests, [])
      const auto = EntryFixture.entry({ url: harness.server.url, transport: "auto" })
      assert.strictEqual((yield* harness.transport.connect(auto, { principal: "ada" })).era, "modern")
    })
  )
})
