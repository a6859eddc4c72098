/** What is known of a server's era when it is connected to again; fault F85. */
import { assert, describe, it } from "@effect/vitest"
import { AGE, type Era, EraCache, ENTRIES } from "@letterhead/mcp/client/EraCache"
import type { Accept } from "@letterhead/testing/LoopbackServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const URL = "https://mcp.example.com/mcp"
const LEGACY: Era = { kind: "legacy" }
const modernOf = (instructions: string): Era => ({
  kind: "modern",
  discover: {
    supportedVersions: ["2026-07-28"],
    capabilities: {},
    instructions,
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private"
  }
})

describe("EraCache", () => {
  it("knows nothing at first", () => {
    assert.isUndefined(new EraCache().known("ada", URL, 0))
  })

  it("keeps that a server is of the legacy era for all, and what a modern one says for whom it said it", () => {
    const cache = new EraCache()
    cache.learn("ada", URL, LEGACY, 0)
    assert.deepStrictEqual(cache.known("bob", URL, 0), LEGACY)
    assert.isUndefined(cache.known("bob", `${URL}?tenant=2`, 0))
    cache.learn("ada", URL, modernOf("for ada"), 0)
    assert.deepStrictEqual(cache.known("ada", URL, 0), modernOf("for ada"))
    assert.isUndefined(cache.known("bob", URL, 0))
    cache.learn("bob", URL, modernOf("for bob"), 0)
    assert.deepStrictEqual(cache.known("ada", URL, 0), modernOf("for ada"))
  })

  it("forgets what was wrong, and what is older than ten minutes", () => {
    const cache = new EraCache()
    for (const era of [LEGACY, modernOf("")]) {
      cache.learn("ada", URL, era, 1_000)
      assert.deepStrictEqual(cache.known("ada", URL, 1_000 + AGE - 1), era)
      assert.isUndefined(cache.known("ada", URL, 1_000 + AGE))
      cache.forget("ada", URL)
      assert.isUndefined(cache.known("ada", URL, 1_000))
    }
    assert.strictEqual(cache.size, 0)
  })

  it("holds a thousand of each kind, and lets the oldest go", () => {
    const cache = new EraCache()
    for (let index = 0; index <= ENTRIES; index += 1) {
      cache.learn("ada", `${URL}/${index}`, LEGACY, 0)
      cache.learn(`user-${index}`, URL, modernOf(""), 0)
    }
    assert.strictEqual(cache.size, 2 * ENTRIES)
    assert.isUndefined(cache.known("ada", `${URL}/0`, 0))
    assert.isUndefined(cache.known("user-0", URL, 0))
    assert.isDefined(cache.known("ada", `${URL}/${ENTRIES}`, 0))
  })
})

const isProbe = (request: RecordedRequest) => request.rpcMethod === "server/discover"
const isCall = (request: RecordedRequest) => request.rpcMethod === "tools/call"
const waysOf = ({ server }: Harness.Harness) =>
  Effect.map(server.requests, (requests) =>
    requests.filter(({ httpMethod }) => httpMethod === "POST").map(({ rpcMethod }) => rpcMethod)
  )
const echo = (connection: Effect.Success<Harness.Harness["connect"]>, session = "one") =>
  connection.callTool("echo", { session }).pipe(Harness.asSession(session))

/** A JSON-RPC error as a server gives it that cannot tell whose request it is. */
const refusal = (status: number, code: number) => ({
  status,
  body: JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message: "Bad Request" } })
})
/** As a server that knows nothing of the modern era. */
const legacyOnly: Accept = (headers) => (headers.has("mcp-method") ? refusal(400, -32_000) : undefined)
/** As a server that has left the legacy era behind. */
const modernOnly: Accept = (_headers, request) =>
  request.rpcMethod === "initialize" ? refusal(400, -32_022) : undefined

describe("a server that was connected to before", () => {
  it.live("of the legacy era is not asked for it, by no principal", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.clear
      for (const principal of ["ada", "bob"]) {
        const connection = yield* harness.transport.connect("example", { principal })
        assert.strictEqual(connection.era, "legacy")
      }
      assert.isFalse((yield* harness.server.requests).some(isProbe))
    })
  )

  it.live("of the modern era is sent nothing until the first call, by the same principal", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const first = yield* Effect.scoped(harness.connect)
      yield* harness.server.clear
      const again = yield* harness.connect
      assert.strictEqual(again.era, "modern")
      assert.strictEqual(again.protocolVersion, "2026-07-28")
      assert.deepStrictEqual(again.serverInfo, { ...first.serverInfo })
      assert.deepStrictEqual(yield* harness.server.requests, [])
      yield* echo(again)
      assert.deepStrictEqual(yield* waysOf(harness), ["tools/call"])
      yield* harness.transport.connect("example", { principal: "bob" })
      assert.deepStrictEqual(yield* waysOf(harness), ["tools/call", "server/discover"])
    })
  )

  for (const status of [408, 429, 500, 503]) {
    it.live(`F85: is asked again where it answered ${status}`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "modern", limits: { retries: 0 } })
        yield* harness.server.respondNext({ status, when: isProbe })
        yield* Effect.flip(Effect.scoped(harness.connect))
        assert.strictEqual((yield* harness.connect).era, "modern")
        assert.deepStrictEqual(yield* waysOf(harness), ["server/discover", "server/discover"])
      })
    )
  }

  it.live("F85: is asked again where all that it taught was a bare 404", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both" })
      yield* harness.server.respondNext({ status: 404, body: "<html>not here</html>", when: isProbe })
      const before = yield* Effect.scoped(Effect.map(harness.connect, ({ era }) => era))
      assert.strictEqual(before, "legacy")
      assert.strictEqual((yield* harness.connect).era, "modern")
    })
  )

  it.live("F85: is not asked again where its 404 was a JSON-RPC error", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both" })
      yield* harness.server.respondNext({ ...refusal(404, -32_601), when: isProbe })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.clear
      assert.strictEqual((yield* harness.connect).era, "legacy")
      assert.isFalse((yield* harness.server.requests).some(isProbe))
    })
  )

  it.live("of the legacy era that has left it is asked at once, and spoken to as it is now", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both", accept: legacyOnly })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.demand(modernOnly)
      yield* harness.server.clear
      const connection = yield* harness.connect
      assert.strictEqual(connection.era, "modern")
      yield* echo(connection)
      assert.deepStrictEqual(yield* waysOf(harness), ["initialize", "server/discover", "tools/call"])
    })
  )

  it.live("of the modern era that is so no more is asked once, and the calls that it refused are made anew", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both" })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.demand(legacyOnly)
      yield* harness.server.clear
      const connection = yield* harness.transport.connect("example", { principal: "ada" })
      assert.strictEqual(connection.era, "modern")
      const sessions = Array.from({ length: 20 }, (_, index) => `session-${index}`)
      const answers = yield* Effect.forEach(sessions, (session) => echo(connection, session), {
        concurrency: "unbounded"
      })
      assert.strictEqual(connection.era, "legacy")
      for (const [index, { content }] of answers.entries()) {
        assert.deepStrictEqual(content, [{ type: "text", text: `{"session":"session-${index}"}` }])
      }
      const ways = yield* waysOf(harness)
      assert.strictEqual(ways.filter((way) => way === "server/discover").length, 1)
      assert.strictEqual(ways.filter((way) => way === "initialize").length, 1)
      assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
      yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
    })
  )

  it.live("of the modern era that is so no more, and has done what it was asked, is not asked to do it again", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both" })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.demand(legacyOnly)
      yield* harness.server.clear
      const connection = yield* harness.transport.connect("example", { principal: "ada" })
      // As a server of the legacy era without sessions, whose results do not say what kind they are.
      yield* harness.server.respondNext({
        status: 200,
        headers: { "content-type": "application/json" },
        body: ({ rpcId }) => JSON.stringify({ jsonrpc: "2.0", id: rpcId, result: { content: [] } }),
        when: isCall
      })
      assert.strictEqual((yield* Harness.reasonOf(echo(connection)))._tag, "ProtocolFailed")
      assert.strictEqual((yield* harness.server.requests).filter(isCall).length, 1)
      yield* echo(connection)
      assert.strictEqual(connection.era, "legacy")
    })
  )

  it.live("of the modern era that refuses one call is asked once, and the refusal is the call's", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "both" })
      yield* Effect.scoped(harness.connect)
      yield* harness.server.clear
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ status: 400, body: "no such thing", when: isCall, times: 2 })
      for (let times = 0; times < 2; times += 1) {
        assert.deepInclude(yield* Harness.reasonOf(echo(connection)), { _tag: "HttpFailed", status: 400 })
      }
      yield* echo(connection)
      assert.strictEqual(connection.era, "modern")
      assert.deepStrictEqual(yield* waysOf(harness), ["tools/call", "server/discover", "tools/call", "tools/call"])
    })
  )

  for (const status of [401, 403, 408, 429, 503]) {
    it.live(`F85: ${status} to the first call says nothing of the era`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({
          era: "both",
          resolver: { challenge: "give up" },
          limits: { retries: 0 }
        })
        yield* Effect.scoped(harness.connect)
        yield* harness.server.clear
        const connection = yield* harness.connect
        yield* harness.server.respondNext({ status, when: isCall })
        yield* Effect.flip(echo(connection))
        assert.deepStrictEqual(yield* waysOf(harness), ["tools/call"])
      })
    )
  }
})
