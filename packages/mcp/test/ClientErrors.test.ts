/** What a server says to the runtime's own client over a transport of ours, in errors and besides. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import { ADA, forEachCase, forEachTalk, isCall, isCancellation, open } from "./support/ClientCases.ts"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"

const EVENTS = { "content-type": "text/event-stream" }
const event = (message: object) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`

/** Answers, and answers once more with an error that quotes the session. */
const twice = ({ headers, rpcId: id }: RecordedRequest) =>
  event({ id, result: { resultType: "complete", content: [] } }) +
  event({ id, error: { code: -1, message: String(headers.get("x-session")) } })
const refusal = ({ headers }: RecordedRequest) => `no ${headers.get("x-session") ?? "canary of nobody"}`

describe("what a server says", () => {
  forEachCase("F83: an error of its own is the call's, with what was sent masked, and no error of the SDK", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open({ ...options, resolver: { fields: { "x-key": "canary-4711" } } })
      const rejected = (body: string, status: number) =>
        Effect.andThen(
          server.respondNext({ status, when: isCall, headers: { "content-type": "application/json" }, body }),
          McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(
            Harness.asSession("one"),
            Effect.flip
          )
        )
      const http = yield* rejected(JSON.stringify({ error: "bad key canary-4711" }), 418)
      assert.strictEqual(http.reason._tag, "HttpFailed")
      const garbled = yield* rejected('{"key": canary-4711', 200)
      assert.strictEqual(garbled.reason._tag, "ProtocolFailed")
      const unknown = yield* McpTransport.call((request) => client.callTool("canary-4711", {}, request)).pipe(
        Harness.asSession("one"),
        Effect.flip
      )
      for (const error of [http, garbled, unknown]) {
        assert.strictEqual(error.server, "example")
        assert.notInclude(JSON.stringify(error) + String(error) + String(error.stack), "canary-4711")
        assert.isUndefined(error.cause)
      }
    })
  )

  forEachCase("F83: nor does code without Effect read what was sent, in its errors or in the client's own", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open({ ...options, resolver: { fields: { "x-key": "canary-4711" } } })
      const said = (status: number, body: (request: RecordedRequest) => string) =>
        Effect.andThen(
          server.respondNext({ status, when: isCall, headers: { "content-type": "application/json" }, body }),
          Effect.promise(() =>
            client.callTool("echo", {}, McpTransport.requestOptions({ ...ADA, sessionId: "one" })).then(
              () => "answered",
              (error: unknown) => inspect(error, { depth: 8 })
            )
          )
        )
      const error = { code: -32_000, message: "bad canary-4711", data: { key: ["canary-4711", 1] } }
      const texts = [
        yield* said(418, () => "no canary-4711"),
        yield* said(200, () => "{canary-4711"),
        yield* said(200, ({ rpcId }) => JSON.stringify({ jsonrpc: "2.0", id: rpcId, error }))
      ]
      assert.include(texts[2], "bad ***")
      assert.isNotEmpty(client.errors)
      for (const text of [...texts, inspect(client.errors, { depth: 8 })]) {
        assert.notInclude(text, "canary-4711")
        assert.notStrictEqual(text, "answered")
      }
    })
  )

  forEachTalk("F83: nor does it in an answer to what was answered before, or is being cancelled", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      yield* server.respondNext({ status: 200, when: isCall, headers: EVENTS, body: twice })
      yield* McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(Harness.asSession("canary-4711"))
      yield* Harness.until(Effect.sync(() => client.errors.length > 0))
      if (options.era === "legacy") {
        const seen = client.errors.length
        yield* server.respondNext({ hang: "before headers", when: isCall })
        yield* server.respondNext({ status: 400, when: isCancellation, body: refusal })
        yield* Effect.flip(
          McpTransport.call((request) => client.callTool("echo", {}, request), { timeout: 200 }).pipe(
            Harness.asSession("canary-4711")
          )
        )
        yield* Harness.until(Effect.sync(() => client.errors.length > seen))
        assert.include(inspect(client.errors), "no ***")
      }
      assert.notInclude(inspect(client.errors, { depth: 8 }), "canary")
    })
  )

  for (const client of ["SDK 1", "SDK 2"] as const) {
    it.live(`F83: nor does who connects (${client})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "legacy", resolver: { fields: { "x-key": "canary-4711" } } })
        for (const [status, body] of [
          [418, "no canary-4711"],
          [200, "{canary-4711"]
        ] as const) {
          yield* harness.server.respondNext({
            status,
            times: 9,
            headers: { "content-type": "application/json" },
            body
          })
          const exit = yield* Effect.exit(Effect.scoped(Clients.connect(client, harness.transport, ADA)))
          yield* harness.server.clearFaults
          assert.strictEqual(exit._tag, "Failure")
          assert.notInclude(inspect(exit, { depth: 12 }), "canary")
        }
      })
    )
  }

  forEachCase("a stream that breaks off unanswered ends its call at once, whatever its signal", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      const broken = { close: "after headers", when: isCall } as const
      yield* server.respondNext(broken)
      const reason = yield* Harness.reasonOf(
        McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(Harness.asSession("one"))
      )
      assert.strictEqual(reason._tag, "ConnectionClosed")
      yield* server.respondNext(broken)
      const { signal: _signal, ...deaf } = McpTransport.requestOptions({ ...ADA, sessionId: "one" })
      const ended = yield* Effect.promise(() =>
        client.callTool("echo", {}, { ...deaf, signal: new AbortController().signal }).then(
          () => "answered",
          (error: unknown) => (error instanceof Error ? error.message : "")
        )
      )
      assert.include(ended, "the server ended its answer before it was complete")
    })
  )

  forEachTalk("questions, progress, logs and changed lists reach the client that the runtime has", (options) =>
    Effect.gen(function* () {
      const { client, server } = yield* open(options)
      const call = (tool: string, args: Readonly<Record<string, unknown>>) =>
        McpTransport.call((request) => client.callTool(tool, { session: "one", ...args }, request)).pipe(
          Harness.asSession("one")
        )
      assert.deepStrictEqual(yield* call("elicit", { count: 2 }), ["yes yes"])
      assert.deepStrictEqual(yield* call("sample", { text: "?" }), [JSON.stringify({ type: "text", text: "a sample" })])
      assert.deepStrictEqual(yield* call("roots", {}), ["file:///root"])
      const steps: Array<number> = []
      const progress = McpTransport.call(
        (request) => client.callTool("progress", { session: "one", count: 3 }, request),
        {
          onProgress: (step) => void steps.push(step.progress)
        }
      )
      assert.deepStrictEqual(yield* progress.pipe(Harness.asSession("one")), ["done"])
      assert.deepStrictEqual(steps, [1, 2, 3])
      assert.deepStrictEqual(
        client.heard.filter((heard) => !heard.startsWith("log") && heard !== "tools changed"),
        ["elicitation", "elicitation", "sampling", "roots"]
      )
      if (options.era === "legacy") {
        yield* call("log", { text: "hello" })
        yield* Harness.until(Effect.sync(() => client.heard.includes("log hello")))
      }
      yield* server.notifyToolsChanged
      yield* Harness.until(Effect.sync(() => client.heard.includes("tools changed")))
      const requests = yield* server.requests
      assert.deepStrictEqual(Harness.crossed(requests), [])
      if (options.era === "modern") assert.isAtLeast(requests.filter(isCall).length, 8)
    })
  )

  for (const options of Clients.cases.filter(({ era, responses }) => era === "legacy" && responses === "sse")) {
    it.live(`streams that were dropped resume with the headers of their calls (${options.client})`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        const answers = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => `session-${index}`),
          (session) =>
            McpTransport.call((request) => client.callTool("drop", { session, ms: 100 }, request)).pipe(
              Harness.asSession(session)
            ),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(new Set(answers.flat()), new Set(["resumed"]))
        const requests = yield* server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        const resumed = requests.filter(({ headers }) => headers.has("last-event-id"))
        assert.isAtLeast(resumed.filter(({ sessionMark }) => sessionMark !== undefined).length, 40)
      })
    )
  }
})
