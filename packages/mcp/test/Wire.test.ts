/** Where headers go and where they do not: redirects, other URLs, resumed streams, further legs; faults F43 to F46. */
import { assert, describe, it } from "@effect/vitest"
import { Call } from "@letterhead/mcp/call/Call"
import { CallCorrelation } from "@letterhead/mcp/call/CallCorrelation"
import * as HttpDispatcher from "@letterhead/mcp/http/HttpDispatcher"
import { RequestHeaders } from "@letterhead/mcp/http/RequestHeaders"
import { redirect } from "@letterhead/testing/LoopbackServerFault"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Harness from "./support/Harness.ts"
import { resolvedOf } from "./support/Resolver.ts"

const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"
const STATUSES = [301, 302, 303, 307, 308] as const

describe("redirects", () => {
  for (const { era, responses } of Harness.cases) {
    it.live(`F43: one to another origin is not followed, and nothing goes there (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const elsewhere = yield* RecordingServer.make()
        const harness = yield* Harness.make({ era, responses })
        const connection = yield* harness.connect
        for (const status of STATUSES) {
          yield* harness.server.respondNext({ ...redirect(status, `${elsewhere.url}mcp?key=1`), when: isCall })
          const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
          assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(elsewhere.url).origin })
        }
        assert.deepStrictEqual(yield* elsewhere.requests, [])
      })
    )
  }

  it.live("F43: one during negotiation, or of the GET stream, is not followed either", () =>
    Effect.gen(function* () {
      const elsewhere = yield* RecordingServer.make()
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      for (const status of STATUSES) {
        yield* harness.server.respondNext(redirect(status, elsewhere.url))
        const reason = yield* Harness.reasonOf(Effect.scoped(harness.connect))
        assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(elsewhere.url).origin })
        yield* harness.server.respondNext({
          ...redirect(status, elsewhere.url),
          when: ({ httpMethod }) => httpMethod === "GET"
        })
        yield* Effect.scoped(harness.connect)
      }
      assert.deepStrictEqual(yield* elsewhere.requests, [])
    })
  )

  for (const target of [
    "file:///etc/passwd",
    "https://127.0.0.1/mcp",
    "//other.example/mcp",
    "http://user:canary@other.example/mcp"
  ]) {
    it.live(`F44: one to ${target} is refused`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "modern" })
        const connection = yield* harness.connect
        yield* harness.server.respondNext({ ...redirect(307, target), when: isCall })
        const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
        assert.strictEqual(reason._tag, "RedirectRefused")
        assert.notInclude(reason.message, "canary")
      })
    )
  }

  for (const path of ["/.well-known/oauth-protected-resource", "/mcp/", "/other"]) {
    it.live(`F46: one to ${path} of the same origin is refused, and nothing goes there`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "modern" })
        const connection = yield* harness.connect
        for (const status of STATUSES) {
          yield* harness.server.respondNext({ ...redirect(status, path), when: isCall })
          const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
          assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(path, harness.server.url).href })
        }
        const requests = yield* harness.server.requests
        assert.isTrue(requests.every((request) => request.path === "/mcp"))
      })
    )
  }

  it.live("one to another query of the endpoint is followed, with the call's own headers", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ ...redirect(307, "/mcp?node=2"), when: isCall })
      yield* connection.callTool("echo", { session: "one" }).pipe(Harness.asSession("one"))
      const requests = yield* harness.server.requests
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.deepStrictEqual(
        requests.filter(isCall).map(({ path }) => path),
        ["/mcp", "/mcp?node=2"]
      )
    })
  )
})

describe("the fetch of a connection", () => {
  const make = Effect.fnUntraced(function* (url: URL) {
    const owner = new Call({ principal: "ada" }, Context.empty())
    const correlation = new CallCorrelation()
    const { fetch } = new RequestHeaders({
      server: "example",
      owner,
      correlation,
      dispatcher: yield* HttpDispatcher.acquire,
      headers: {
        url,
        resolve: (call) =>
          Effect.succeed(
            resolvedOf({
              "x-session": call.sessionId ?? "connection",
              "x-key": "canary",
              "Mcp-Method": "stolen",
              Accept: "stolen",
              "x-mine": "stolen"
            })
          ),
        challenge: () => Effect.succeed("give up" as const),
        refusedAgain: () => Effect.void,
        reconnect: Effect.void,
        signIn: () => Effect.succeed(false)
      }
    })
    return { fetch, correlation, owner }
  })

  it.live("F45, F46: what is not the endpoint gets none of the headers; another origin gets no request", () =>
    Effect.gen(function* () {
      const here = yield* RecordingServer.make()
      const elsewhere = yield* RecordingServer.make()
      const { fetch } = yield* make(new URL("/mcp", here.url))
      yield* Effect.promise(() => fetch(new URL("/.well-known/oauth-protected-resource/mcp", here.url)))
      yield* Effect.promise(() => fetch(new URL("/token", here.url), { method: "POST", body: "grant_type=x" }))
      const refused = yield* Effect.exit(Effect.tryPromise(() => fetch(new URL("/token", elsewhere.url))))
      assert.strictEqual(refused._tag, "Failure")
      const requests = yield* here.requests
      assert.strictEqual(requests.length, 2)
      for (const { headers } of requests) {
        assert.isUndefined(headers.get("x-key"))
        assert.isUndefined(headers.get("x-session"))
      }
      assert.deepStrictEqual(yield* elsewhere.requests, [])
    })
  )

  it.live("what the SDK sets wins, and what the protocol owns is not set at all", () =>
    Effect.gen(function* () {
      const here = yield* RecordingServer.make()
      const { fetch } = yield* make(new URL("/mcp", here.url))
      const headers = { "Mcp-Protocol-Version": "2026-07-28", accept: "application/json", "X-Mine": "the SDK's" }
      yield* Effect.promise(() => fetch(new URL("/mcp", here.url), { method: "DELETE", headers }))
      const [request] = yield* here.requests
      assert.strictEqual(request?.headers.get("x-mine"), "the SDK's")
      assert.strictEqual(request?.headers.get("accept"), "application/json")
      assert.strictEqual(request?.headers.get("mcp-protocol-version"), "2026-07-28")
      assert.isUndefined(request?.headers.get("mcp-method"))
      assert.strictEqual(request?.headers.get("x-key"), "canary")
    })
  )

  it.live("a request whose call is not known is not sent, and a reply with the same id is the connection's", () =>
    Effect.gen(function* () {
      const here = yield* RecordingServer.make()
      const url = new URL("/mcp", here.url)
      const { fetch, correlation } = yield* make(url)
      correlation.open(1, new Call({ principal: "ada", sessionId: "one" }, Context.empty()))
      const post = (message: object) =>
        Effect.exit(Effect.tryPromise(() => fetch(url, { method: "POST", body: JSON.stringify(message) })))
      assert.strictEqual((yield* post({ jsonrpc: "2.0", id: 2, method: "tools/call" }))._tag, "Failure")
      const stray = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } }
      assert.strictEqual((yield* post(stray))._tag, "Failure")
      yield* post({ jsonrpc: "2.0", id: 1, method: "tools/call" })
      yield* post({ jsonrpc: "2.0", id: 1, result: {} })
      assert.deepStrictEqual(
        (yield* here.requests).map(({ headers }) => headers.get("x-session")),
        ["one", "connection"]
      )
    })
  )

  it.live("a stream whose event id two calls share is not resumed", () =>
    Effect.gen(function* () {
      const here = yield* RecordingServer.make()
      const url = new URL("/mcp", here.url)
      const { fetch, correlation } = yield* make(url)
      for (const [id, sessionId] of ["one", "two"].entries()) {
        correlation.open(id, new Call({ principal: "ada", sessionId }, Context.empty()))
        correlation.setEvent(id, "same")
      }
      const resumed = yield* Effect.exit(
        Effect.tryPromise(() => fetch(url, { method: "GET", headers: { "last-event-id": "same" } }))
      )
      assert.strictEqual(resumed._tag, "Failure")
      assert.deepStrictEqual(yield* here.requests, [])
    })
  )
})

describe("a call of several requests", () => {
  it.live("resumes its stream with its own headers, also where many calls do", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      const connection = yield* harness.connect
      const results = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => `session-${index % 10}`),
        (session) => connection.callTool("drop", { session, ms: 100 }).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      for (const { content } of results) assert.deepStrictEqual(content, [{ type: "text", text: "resumed" }])
      const requests = yield* harness.server.requests
      const resumed = requests.filter(({ headers }) => headers.has("last-event-id"))
      assert.isAtLeast(resumed.filter(({ sessionMark }) => sessionMark !== undefined).length, 40)
      assert.deepStrictEqual(Harness.crossed(requests), [])
      assert.deepStrictEqual(
        harness.correlations.map(({ size }) => size),
        [0]
      )
    })
  )

  it.live("is over when the stream it resumes is refused", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse", resolver: { challenge: "give up" } })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ status: 401, when: ({ headers }) => headers.has("last-event-id"), times: 9 })
      const reason = yield* Harness.reasonOf(
        connection.callTool("drop", { ms: 1_000 }, { timeout: 5_000 }).pipe(Harness.asSession("one"))
      )
      assert.strictEqual(reason._tag, "Unauthorized")
      const resumed = (yield* harness.server.requests).filter(({ headers }) => headers.has("last-event-id"))
      assert.strictEqual(resumed.length, 1)
    })
  )

  it.live("does not resume a stream after it was interrupted", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy", responses: "sse" })
      const connection = yield* harness.connect
      yield* connection
        .callTool("drop", { session: "one", ms: 60_000 }, { timeout: 200 })
        .pipe(Harness.asSession("one"), Effect.flip)
      const count = Effect.map(harness.server.requests, (requests) => requests.length)
      yield* Effect.sleep(100)
      const before = yield* count
      yield* Effect.sleep(300)
      assert.strictEqual(yield* count, before)
      const resumed = (yield* harness.server.requests).filter(({ headers }) => headers.has("last-event-id"))
      assert.deepStrictEqual(new Set(resumed.map(({ headers }) => headers.get("x-session"))), new Set(["one"]))
      assert.deepStrictEqual(
        harness.correlations.map(({ size }) => size),
        [0]
      )
    })
  )

  it.live("repeats an argument in Mcp-Param-* after it asked for the tools with its own headers", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const connection = yield* harness.connect
      const regions = ["eu", "us", "ap"]
      yield* Effect.forEach(
        regions,
        (session) => connection.callTool("region", { region: session, session }).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      const requests = yield* harness.server.requests
      const own = requests.filter(({ rpcMethod }) => rpcMethod !== "server/discover")
      assert.isTrue(own.every(({ headers }) => regions.includes(headers.get("x-session") ?? "")))
      assert.deepStrictEqual(Harness.crossed(own.filter(isCall)), [])
      const answered = requests.filter((request) => isCall(request) && request.status === 200)
      assert.deepStrictEqual(new Set(answered.map(({ headers }) => headers.get("mcp-param-region"))), new Set(regions))
    })
  )

  it.live("carries its own headers on each leg of a call that needs several rounds (modern)", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [session: string | undefined, id: number, state: unknown]> = []
      const origin = yield* LoopbackListener.listen((request, response, body) => {
        const { id, method, params } = JSON.parse(body)
        if (method === "tools/call") seen.push([String(request.headers["x-session"]), id, params.requestState])
        const state = Number(params.requestState ?? 0)
        const result =
          method === "server/discover"
            ? { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } }
            : state < 2
              ? { resultType: "input_required", requestState: String(state + 1) }
              : { resultType: "complete", content: [{ type: "text", text: String(request.headers["x-session"]) }] }
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
      })
      const harness = yield* Harness.make({ era: "modern", url: `${origin}/mcp` })
      const connection = yield* harness.connect
      const sessions = Array.from({ length: 20 }, (_, index) => `session-${index}`)
      const results = yield* Effect.forEach(
        sessions,
        (session) => connection.callTool("any", {}).pipe(Harness.asSession(session)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        results.map(({ content }) => content),
        sessions.map((text) => [{ type: "text" as const, text }])
      )
      assert.strictEqual(seen.length, 60)
      assert.strictEqual(new Set(seen.map(([, id]) => id)).size, 60)
      for (const session of sessions) assert.strictEqual(seen.filter(([mark]) => mark === session).length, 3)
      assert.deepStrictEqual(
        harness.correlations.map(({ size }) => size),
        [0]
      )
    })
  )
})

describe("the process", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`ends by itself when the layer does (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const program = new URL("./support/one-call.ts", import.meta.url).pathname
        const output = yield* Effect.callback<string>((resume) => {
          const child = execFile(
            process.execPath,
            [program, harness.server.url],
            { timeout: 20_000 },
            (error, stdout, stderr) =>
              resume(error === null ? Effect.succeed(stdout) : Effect.die(new Error(`${child.signalCode} ${stderr}`)))
          )
        })
        assert.strictEqual(output, "answered\n")
        assert.deepStrictEqual(yield* harness.server.sessions, [])
      })
    )
  }
})
