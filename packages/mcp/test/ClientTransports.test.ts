/** The runtime's own client, of either SDK, over a transport of ours: whose headers its requests carry, and what ends them. */
import { assert, describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import * as Fiber from "effect/Fiber"
import * as Clients from "./support/Clients.ts"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const ADA = { principal: "ada" }
const SESSIONS = ["one", "two", "three"]

const isCall = ({ rpcMethod }: RecordedRequest) => rpcMethod === "tools/call"
const isCancellation = ({ rpcMethod }: RecordedRequest) => rpcMethod === "notifications/cancelled"

const token = (generation: number) => `token-${generation}`

type Case = (typeof Clients.cases)[number]

const open = Effect.fnUntraced(function* (options: Case & Partial<Harness.HarnessOptions>) {
  const harness = yield* Harness.make(options)
  return { ...harness, client: yield* Clients.connect(options.client, harness.transport, ADA) }
})

const nothingHeld = ({ correlations }: Pick<Harness.Harness, "correlations">) =>
  Harness.until(Effect.sync(() => correlations.every(({ size }) => size === 0)))

const forEachCase = (title: string, test: (options: Case) => Effect.Effect<void, unknown>) => {
  for (const options of Clients.cases) {
    it.live(`${title} (${options.client}, ${options.era}, ${options.responses})`, () => test(options))
  }
}

/** Where the server can say something before it answers. */
const talks = ({ era, responses }: Case) => era === "modern" || responses === "sse"

const forEachTalk = (title: string, test: (options: Case) => Effect.Effect<void, unknown>) => {
  for (const options of Clients.cases.filter(talks)) {
    it.live(`${title} (${options.client}, ${options.era}, ${options.responses})`, () => test(options))
  }
}

describe("whose headers a request carries", () => {
  forEachCase("each call those of its session, everything else those of the connection", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Clients.connect(options.client, harness.transport, ADA)
            yield* Effect.forEach(
              SESSIONS,
              (session) =>
                McpTransport.call((request) => client.callTool("echo", { session }, request)).pipe(
                  Harness.asSession(session)
                ),
              { concurrency: "unbounded" }
            )
            yield* Effect.promise(() => client.callTool("echo", {}))
          })
        )
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        const calls = requests.filter(isCall)
        assert.strictEqual(calls.length, 4)
        assert.deepStrictEqual(
          new Set(calls.map(({ headers }) => headers.get("x-session"))),
          new Set([ownerMark("ada"), ...SESSIONS])
        )
        const ended = requests.filter(({ httpMethod }) => httpMethod === "DELETE")
        assert.strictEqual(ended.length, options.era === "legacy" ? 1 : 0)
        yield* nothingHeld(harness)
      })
    )
  )

  forEachCase("hooks are told the server, the method, the tool and one id of a call of several requests", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { client, resolver } = yield* open(options)
        resolver.resolved.length = 0
        yield* McpTransport.call(async (request) => {
          await client.listTools(request)
          await client.callTool("echo", {}, request)
        }).pipe(Harness.asSession("one", { tool: "outer", method: "outer" }))
        const [list, call] = resolver.resolved.filter(({ sessionId }) => sessionId === "one")
        assert.deepInclude(list, { server: "example", method: "tools/list", principal: "ada" })
        assert.isUndefined(list?.tool)
        assert.deepInclude(call, { server: "example", method: "tools/call", tool: "echo" })
        assert.isString(call?.callId)
        assert.strictEqual(list?.callId, call?.callId)
      })
    )
  )

  forEachCase("code without Effect names the call, and ends it with a signal", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* open(options)
        const { client, server } = harness
        const context = { ...ADA, sessionId: "one", callId: "7" }
        const named = McpTransport.requestOptions(context)
        yield* Effect.promise(() => client.callTool("echo", { session: "one" }, named))
        const ending = new AbortController()
        const slow = client.callTool(
          "slow",
          { session: "one", ms: 60_000 },
          McpTransport.requestOptions(context, { signal: ending.signal })
        )
        const failed = slow.then(
          () => "answered",
          () => "ended"
        )
        yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
        ending.abort()
        assert.strictEqual(yield* Effect.promise(() => failed), "ended")
        yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
        assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
        assert.strictEqual(harness.resolver.resolved.find(({ sessionId }) => sessionId === "one")?.callId, "7")
      })
    )
  )

  forEachCase("a call of another principal is refused before anything is sent", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        const reason = yield* Harness.reasonOf(
          McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(
            Harness.asSession("one", { principal: "bob" })
          )
        )
        assert.deepInclude(reason, { _tag: "PrincipalMismatch", connection: "ada", call: "bob" })
        assert.deepStrictEqual((yield* server.requests).filter(isCall), [])
      })
    )
  )
})

describe("a credential that expired", () => {
  forEachCase("F53, F54: a storm of 100 calls all succeed after one renewal", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* open({ ...options, resolver: { token, beforeRenewal: Effect.sleep(20) } })
        const { client, resolver, server } = harness
        yield* server.tokens.accept(token(2))
        yield* server.tokens.demand
        const answers = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => `session-${index % 10}`),
          (session) =>
            McpTransport.call((request) => client.callTool("echo", { session }, request)).pipe(
              Harness.asSession(session)
            ),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(answers.length, 100)
        assert.strictEqual(resolver.renewals, 1)
        const requests = yield* server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        assert.strictEqual(requests.filter((request) => isCall(request) && request.status === 200).length, 100)
      })
    )
  )
})

describe("a call that ends", () => {
  forEachCase("interrupted, is cancelled at the server with its own headers, and is held no more", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* open(options)
        const { client, correlations, server } = harness
        const before = correlations.map(({ size }) => size)
        const slow = yield* McpTransport.call((request) =>
          client.callTool("slow", { session: "one", ms: 60_000 }, request)
        ).pipe(Harness.asSession("one"), Effect.forkChild)
        yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
        yield* Fiber.interrupt(slow)
        yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
        const requests = yield* server.requests
        assert.deepStrictEqual(Harness.crossed(requests), [])
        assert.strictEqual(requests.filter(isCancellation).length, options.era === "legacy" ? 1 : 0)
        yield* Harness.until(Effect.sync(() => correlations.every(({ size }, index) => size <= (before[index] ?? 0))))
      })
    )
  )

  forEachCase("F82: while its 401 is answered, is never sent again", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* open({ ...options, resolver: { token, beforeRenewal: Effect.sleep(300) } })
        const { client, server } = harness
        yield* server.tokens.accept(token(2))
        yield* server.tokens.demand
        const reason = yield* Harness.reasonOf(
          McpTransport.call((request) => client.callTool("echo", { session: "one" }, request), { timeout: 100 }).pipe(
            Harness.asSession("one")
          )
        )
        assert.deepInclude(reason, { _tag: "CallTimedOut", operation: "tools/call echo", milliseconds: 100 })
        yield* Effect.sleep(400)
        const requests = yield* server.requests
        assert.strictEqual(requests.filter(isCall).length, 1)
        assert.deepStrictEqual(requests.filter(isCancellation), [])
      })
    )
  )

  forEachCase("by a failure of its function, has nothing left under way", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        const cause = new TypeError("no such property")
        const error = yield* McpTransport.call(async (request) => {
          void client.callTool("slow", { session: "one", ms: 60_000 }, request).catch(() => {})
          await client.callTool("echo", { session: "one" }, request)
          await Effect.runPromise(Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1)))
          throw cause
        }).pipe(Harness.asSession("one"), Effect.flip)
        assert.strictEqual(error.server, "example")
        assert.deepInclude(error.reason, { _tag: "CallbackFailed", description: "no such property" })
        assert.strictEqual(error.reason._tag === "CallbackFailed" ? error.reason.cause : undefined, cause)
        yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
      })
    )
  )

  it.live("without having asked any server, names none", () =>
    Effect.gen(function* () {
      const error = yield* McpTransport.call(() => Promise.reject(new Error("nothing to ask"))).pipe(Effect.flip)
      assert.strictEqual(error.message, "the function given to McpTransport.call failed: nothing to ask")
      const thrown = yield* McpTransport.call(() => {
        throw new Error("at once")
      }).pipe(Effect.flip)
      assert.deepInclude(thrown.reason, { _tag: "CallbackFailed", description: "at once" })
      const within = yield* McpTransport.call(() => Promise.reject(error)).pipe(Effect.flip)
      assert.strictEqual(within, error)
    })
  )
})

describe("what a server says", () => {
  forEachCase("F83: an error of its own is the call's, with what was sent masked, and no error of the SDK", (options) =>
    Effect.scoped(
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
  )

  forEachCase("F83: nor does code without Effect read what was sent, in its errors or in the client's own", (options) =>
    Effect.scoped(
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
    Effect.scoped(
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
  )

  forEachTalk("questions, progress, logs and changed lists reach the client that the runtime has", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        const call = (tool: string, args: Readonly<Record<string, unknown>>) =>
          McpTransport.call((request) => client.callTool(tool, { session: "one", ...args }, request)).pipe(
            Harness.asSession("one")
          )
        assert.deepStrictEqual(yield* call("elicit", { count: 2 }), ["yes yes"])
        assert.deepStrictEqual(yield* call("sample", { text: "?" }), [
          JSON.stringify({ type: "text", text: "a sample" })
        ])
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

describe("what carries the messages", () => {
  for (const client of ["SDK 1", "SDK 2"] as const) {
    it.live(
      `may be HTTP+SSE, where the server speaks nothing else: each POST has the headers of its call (${client})`,
      () =>
        Effect.gen(function* () {
          const server = yield* LoopbackSseServer.make()
          const harness = yield* Harness.make({ era: "legacy", url: server.url, type: "auto" })
          const runtime = yield* Clients.connect(client, harness.transport, ADA)
          yield* Effect.forEach(
            SESSIONS,
            (session) =>
              McpTransport.call((request) => runtime.callTool("echo", { session }, request)).pipe(
                Harness.asSession(session)
              ),
            { concurrency: "unbounded" }
          )
          const slow = yield* McpTransport.call((request) =>
            runtime.callTool("slow", { session: "one", ms: 60_000 }, request)
          ).pipe(Harness.asSession("one"), Effect.forkChild)
          yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
          yield* Fiber.interrupt(slow)
          yield* Harness.until(Effect.map(server.slowCalls, ([call]) => call?.outcome === "cancelled"))
          const requests = yield* server.requests
          assert.deepStrictEqual(Harness.crossed(requests), [])
          assert.strictEqual(requests.filter(isCancellation).length, 1)
          assert.isTrue(requests.filter(isCall).every(({ path }) => path.startsWith("/messages")))
        })
    )

    it.live(
      `may be a new session, where the server forgot the old one, and the client knows nothing of it (${client})`,
      () =>
        Effect.gen(function* () {
          const { client: runtime, resolver, server } = yield* open({ client, era: "legacy", responses: "sse" })
          yield* server.endSessions
          const answers = yield* Effect.forEach(
            SESSIONS,
            (session) =>
              McpTransport.call((request) => runtime.callTool("echo", { session }, request)).pipe(
                Harness.asSession(session)
              ),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            answers,
            SESSIONS.map((session) => [JSON.stringify({ session })])
          )
          assert.strictEqual(resolver.reconnects, 1)
          assert.strictEqual((yield* server.sessions).length, 1)
          assert.deepStrictEqual(Harness.crossed(yield* server.requests), [])
        })
    )
  }
})

describe("the end of a transport", () => {
  forEachCase("comes with its client or with the scope, whichever is first, and once", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const harness = yield* Harness.make(options)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Clients.connect(options.client, harness.transport, ADA)
            yield* Effect.promise(() => client.close())
            yield* Effect.promise(() => client.close())
            const reason = yield* Harness.reasonOf(
              McpTransport.call((request) => client.callTool("echo", {}, request)).pipe(Harness.asSession("one"))
            )
            assert.strictEqual(reason._tag, "ConnectionClosed")
          })
        )
        const requests = yield* harness.server.requests
        const ended = requests.filter(({ httpMethod }) => httpMethod === "DELETE")
        assert.strictEqual(ended.length, options.era === "legacy" ? 1 : 0)
        assert.deepStrictEqual(requests.filter(isCall), [])
        assert.strictEqual(harness.resolver.closed, 1)
        yield* nothingHeld(harness)
      })
    )
  )

  forEachCase("fails the calls that are under way", (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { client, server } = yield* open(options)
        const slow = yield* McpTransport.call((request) => client.callTool("slow", { ms: 60_000 }, request)).pipe(
          Harness.asSession("one"),
          Harness.reasonOf,
          Effect.forkChild
        )
        yield* Harness.until(Effect.map(server.slowCalls, ({ length }) => length === 1))
        yield* Effect.promise(() => client.close())
        assert.strictEqual((yield* Fiber.join(slow))._tag, "ConnectionClosed")
      })
    )
  )
})
