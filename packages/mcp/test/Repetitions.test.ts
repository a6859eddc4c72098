/** What is sent again, when, and what never is; faults F56 and F82. */
import { assert, describe, it } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import { none, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import { HttpDispatcher } from "@letterhead/mcp/http/HttpDispatcher"
import * as Repetition from "@letterhead/mcp/http/Repetition"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import { MockAgent } from "undici"
import * as Harness from "./support/Harness.ts"
import * as Requests from "./support/Requests.ts"
import { resolvedOf } from "./support/Resolver.ts"

const TEN_YEARS = 10 * 365 * 24 * 3_600

/** Refuses the first requests with a status and a Retry-After, then answers. */
const refusing = Effect.fnUntraced(function* (
  status: number,
  retryAfter: string | undefined,
  times: number,
  options: Omit<Requests.RequestsOptions, "url"> = {}
) {
  const headers: Array<Readonly<Record<string, unknown>>> = []
  const origin = yield* LoopbackListener.listen((request, response) => {
    headers.push(request.headers)
    const refused = headers.length <= times
    const field = retryAfter === undefined ? {} : { "retry-after": retryAfter }
    response.writeHead(refused ? status : 200, { "content-type": "application/json", ...(refused ? field : {}) })
    response.end(refused ? "not now" : "{}")
  })
  const url = `${origin}/mcp`
  return { headers, url, ...(yield* Requests.make({ url, ...options })) }
})

describe("Retry-After", () => {
  for (const status of [429, 503]) {
    it.effect(`F56: of a ${status} is waited for, then the request is sent again with headers of its own`, () =>
      Effect.gen(function* () {
        const { asked, headers, send } = yield* refusing(status, "30", 1)
        const fiber = yield* Effect.forkChild(Effect.flatMap(send("tools/list"), Requests.text))
        assert.isAtLeast(yield* secondsUntil(() => headers.length === 2), 30)
        assert.strictEqual(yield* Fiber.join(fiber), "{}")
        assert.deepStrictEqual(
          headers.map((one) => one["x-time"]),
          ["1", "2"]
        )
        assert.strictEqual(asked.challenge, 0)
      })
    )

    it.effect(`F56: of a ${status} as a date is read on the clock of the call`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        const { headers, send } = yield* refusing(status, "Thu, 01 Jan 2026 00:00:20 GMT", 1)
        const fiber = yield* Effect.forkChild(Effect.flatMap(send("tools/list"), Requests.text))
        const seconds = yield* secondsUntil(() => headers.length === 2)
        assert.isAtLeast(seconds, 20)
        assert.isBelow(seconds, 60)
        assert.strictEqual(yield* Fiber.join(fiber), "{}")
      })
    )

    it.live(`F56: of ten years in a ${status} is the caller's at once, and says how long`, () =>
      Effect.gen(function* () {
        const { asked, headers, send } = yield* refusing(status, String(TEN_YEARS), 9)
        const reason = yield* Effect.flip(send("tools/list"))
        assert.deepInclude(reason, { _tag: "HttpFailed", status, retryAfter: TEN_YEARS * 1_000 })
        assert.include(reason.message, "315,360,000 s")
        assert.strictEqual(headers.length, 1)
        assert.deepStrictEqual(asked, { resolve: 1, challenge: 0 })
      })
    )

    it.live(`F56: that is junk in a ${status} is as if there were none: it is backed off`, () =>
      Effect.gen(function* () {
        const { headers, send } = yield* refusing(status, "when I like", 2)
        assert.strictEqual(yield* Effect.flatMap(send("tools/list"), Requests.text), "{}")
        assert.strictEqual(headers.length, 3)
      })
    )
  }

  it.live("F56: of a call is told its caller, who alone may send it again", () =>
    Effect.gen(function* () {
      const { asked, headers, send } = yield* refusing(429, "7", 9)
      const reason = yield* Effect.flip(send("tools/call"))
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 429, retryAfter: 7_000 })
      assert.strictEqual(headers.length, 1)
      assert.deepStrictEqual(asked, { resolve: 1, challenge: 0 })
    })
  )
})

describe("a request that may be sent again", () => {
  it.live("is sent three times in all, and its last refusal is the caller's", () =>
    Effect.gen(function* () {
      const { call, headers, send } = yield* refusing(503, undefined, 99)
      const reason = yield* Effect.flip(send("tools/call", { call: call("one", { idempotent: true }) }))
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 503, description: "not now" })
      assert.strictEqual(headers.length, 3)
      assert.deepStrictEqual(new Set(headers.map((one) => one["x-session"])), new Set(["one"]))
    })
  )

  it.live("is not sent again where the answer will be the same", () =>
    Effect.gen(function* () {
      for (const status of [400, 403, 404, 431, 501, 505]) {
        const { headers, send } = yield* refusing(status, "0", 9)
        yield* Effect.exit(send("tools/list"))
        assert.strictEqual(headers.length, 1, String(status))
      }
    })
  )

  it.live("is counted by the reason, and by nothing that was sent", () =>
    Effect.gen(function* () {
      const before = [yield* repeated("503"), yield* repeated("network")]
      const { send } = yield* refusing(503, undefined, 1)
      yield* send("tools/list")
      const url = yield* Effect.map(
        LoopbackListener.listen((_request, response) => void response.socket?.destroy()),
        (origin) => `${origin}/mcp`
      )
      yield* Effect.flip((yield* Requests.make({ url })).send("tools/list"))
      assert.deepStrictEqual(
        [yield* repeated("503"), yield* repeated("network")],
        [Number(before[0]) + 1, Number(before[1]) + 2]
      )
      const snapshot = JSON.stringify(yield* Metric.snapshot, (_key, value: unknown) =>
        typeof value === "bigint" ? String(value) : value
      )
      assert.notInclude(snapshot, Requests.CANARY)
    })
  )
})

describe("what a request was sent with before", () => {
  it.live("is told for its own repetition, and not for another request of the connection", () =>
    Effect.gen(function* () {
      let count = 0
      const origin = yield* LoopbackListener.listen((_, response) => {
        count += 1
        response.writeHead(count % 2 === 1 ? 401 : 200, { "content-type": "application/json" }).end("{}")
      })
      const told: Array<readonly [whose: string, before: string | undefined]> = []
      const { send } = yield* Requests.make({
        url: `${origin}/mcp`,
        headers: {
          resolve: ({ sessionId = "connection" }, before) =>
            Effect.sync(() => {
              told.push([sessionId, before?.reveal()[0]?.[1]])
              return resolvedOf({ "x-count": String(told.length) })
            }),
          challenge: () => Effect.succeed("retry" as const)
        }
      })
      yield* send("", { http: "DELETE" })
      yield* send("", { http: "DELETE" })
      yield* send("tools/call")
      assert.deepStrictEqual(told, [
        ["connection", undefined],
        ["connection", "1"],
        ["connection", undefined],
        ["connection", "3"],
        ["one", undefined],
        ["one", "5"]
      ])
    })
  )
})

describe("a call that ends while its request waits", () => {
  for (const end of ["the call", "the SDK"] as const) {
    it.live(`F82: is never sent again (${end})`, () =>
      Effect.gen(function* () {
        const { call, headers, send } = yield* refusing(503, undefined, 9, { limits: { backOff: 300 } })
        const from = call("one", { idempotent: true })
        const controller = new AbortController()
        const fiber = yield* Effect.forkChild(
          Effect.exit(Effect.orDie(send("tools/call", { call: from, signal: controller.signal })))
        )
        yield* Harness.until(Effect.sync(() => headers.length === 1))
        yield* Effect.sleep(50)
        if (end === "the call") from.abort()
        else controller.abort()
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
        yield* Effect.sleep(500)
        assert.strictEqual(headers.length, 1)
      })
    )
  }
})

describe("a request whose headers are settled", () => {
  it.live("is handed to the dispatcher at once, without a fiber; another when they are", () =>
    Effect.gen(function* () {
      for (const [resolve, expected] of [
        [() => Effect.succeed(none), ["dispatched", "returned"]],
        [() => Effect.as(Effect.yieldNow, none), ["returned", "dispatched"]]
      ] as const) {
        const order: Array<string> = []
        const agent = new MockAgent()
        agent.disableNetConnect()
        agent.get("http://mcp.example").intercept({ method: "POST", path: "/mcp" }).reply(202, "")
        const dispatcher = agent.compose((dispatch) => (options, handler) => {
          order.push("dispatched")
          return dispatch(options, handler)
        })
        const url = "http://mcp.example/mcp"
        const { fetch } = yield* Requests.make({ url, headers: { resolve } }).pipe(
          Effect.provideService(HttpDispatcher, dispatcher)
        )
        const answered = fetch(url, { method: "POST", body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })
        order.push("returned")
        yield* Effect.promise(() => answered)
        assert.deepStrictEqual(order, [...expected])
      }
    })
  )
})

describe("the headers of what is sent again", () => {
  it.live("are resolved with those that the call was sent with before, and those of another call are not", () =>
    Effect.gen(function* () {
      const befores: Array<ResolvedHeaders | undefined> = []
      const given = [resolvedOf({ "x-time": "1" }), resolvedOf({ "x-time": "2" }), resolvedOf({ "x-time": "3" })]
      const resolve = (_call: CallContext, before?: ResolvedHeaders) =>
        Effect.succeed(given[befores.push(before) - 1] ?? none)
      const { headers, send } = yield* refusing(503, "0", 2, { headers: { resolve } })
      yield* send("tools/list")
      assert.deepStrictEqual(
        headers.map((one) => one["x-time"]),
        ["1", "2", "3"]
      )
      yield* send("tools/list")
      assert.deepStrictEqual(befores, [undefined, given[0], given[1], undefined])
    })
  )
})

describe("the fetch of one call", () => {
  it.live("sends each request with that call's headers, whatever its id, and repeats what only reads", () =>
    Effect.gen(function* () {
      const { call, fetchFor, headers, url } = yield* refusing(503, undefined, 1)
      const fetch = fetchFor(call("one"))
      const post = (method: string, id?: number) =>
        Effect.promise(() => fetch(url, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id, method }) }))
      assert.strictEqual((yield* post("initialize", 0)).status, 200)
      yield* post("notifications/initialized")
      yield* post("tools/call", 0)
      yield* Effect.promise(() => fetch(url, { method: "DELETE" }))
      assert.deepStrictEqual(
        headers.map((one) => one["x-session"]),
        ["one", "one", "one", "one", "one"]
      )
    })
  )
})

/** How often requests were repeated for this reason. */
const repeated = (reason: string) => Effect.map(Metric.value(Repetition.retries(reason)), ({ count }) => count)

/** Lets the clock of the test run, a little for each second of it, and counts how many it takes until it is so. */
const secondsUntil = Effect.fnUntraced(function* (condition: () => boolean) {
  let seconds = 0
  for (; !condition() && seconds < 600; seconds += 1) {
    yield* TestClock.adjust("1 second")
    yield* TestClock.withLive(Effect.sleep(5))
  }
  return seconds
})
