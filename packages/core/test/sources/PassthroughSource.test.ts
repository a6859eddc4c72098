/** What of an incoming request goes on to the server, and what does not. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { IncomingHeaders } from "@letterhead/core/call/IncomingHeaders"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { merge } from "@letterhead/core/headers/ResolvedHeaders"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type HeaderSource, nothingSoFar, Rank } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as PassthroughSource from "@letterhead/core/sources/PassthroughSource"
import * as TrustGate from "@letterhead/core/trust/TrustGate"
import * as TrustStore from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const

type Listed = NonNullable<EntryOptions["passthrough"]>
type Came = ReadonlyArray<readonly [name: string, value: string]>

const incoming = (came: Came): IncomingHeaders => came.map(([name, value]) => ({ name, value: Redacted.make(value) }))
const callOf = (came: Came): CallContext => ({ principal: "ada", incoming: incoming(came) })

/** What both sources make of a call, merged with patches of other sources. */
const resolve = Effect.fnUntraced(function* (
  server: ServerEntry,
  call: CallContext,
  ...others: ReadonlyArray<HeaderPatch.HeaderPatch>
) {
  const sources = yield* Effect.all([PassthroughSource.make, PassthroughSource.makeOverride])
  const patches = yield* Effect.forEach(sources, (source) => source.resolve(server, call, nothingSoFar))
  return Result.getOrThrow(merge([...patches, ...others]))
})

const sent = (passthrough: Listed, came: Came) =>
  Effect.map(resolve(entry({ passthrough }), callOf(came)), (resolved) => resolved.reveal())

const refused = (passthrough: Listed, came: Came) => Effect.flip(resolve(entry({ passthrough }), callOf(came)))

const other = (source: string, rank: number, fields: Readonly<Record<string, string>>): HeaderPatch.HeaderPatch => ({
  ...HeaderPatch.empty(source, rank),
  set: Object.entries(fields).map(([name, value]) => Result.getOrThrow(HeaderPatch.setField(name, value, source)))
})

/** An independent statement of how names compare. */
const fold = (name: string) => name.toLowerCase().split("_").join("-")

const left = (notSent: string) => [
  {
    name: "X-B",
    declared: "incoming x-a · /letterhead.json:1:1 (mcpServers.example.passthroughHeaders[0])",
    notSent,
    value: undefined
  }
]

const permitted = Effect.provide(MockTrustGate.layerPermitAll)

describe("what passes", () => {
  it.effect("F49: X_MCP_API_KEY, mixed case and an unlisted header: only listed ones, under the name to send", () =>
    Effect.gen(function* () {
      const listed = [{ name: "x-mcp-api-key" }, { name: "X-User-Token", as: "Authorization", credential: true }]
      const came: Came = [
        ["X_MCP_API_KEY", "key"],
        ["x-USER-token", "Bearer token"],
        ["X-Unlisted", "no"],
        ["Authorization", "Bearer of the incoming request"]
      ]
      assert.deepStrictEqual(yield* sent(listed, came), [
        ["x-mcp-api-key", "key"],
        ["Authorization", "Bearer token"]
      ])
      assert.deepStrictEqual(yield* sent([], came), [])
    }).pipe(permitted)
  )

  it.effect.prop(
    "F49: for any list and any request, exactly what is listed and came once passes, unchanged; what came twice is refused",
    {
      listed: Schema.Array(
        Schema.Struct({
          name: Schema.Literals(["x-a", "X_A", "x-b", "X-C"]),
          as: Schema.Literals(["X-One", "X-Two", "X-Three"]),
          override: Schema.Boolean
        })
      ),
      came: Schema.Array(
        Schema.Struct({
          name: Schema.Literals(["x-a", "X-A", "x_a", "X-B", "x_b", "x-c", "x-d", "x-one"]),
          value: Schema.Literals(["1", "2", "3"])
        })
      )
    },
    ({ came, listed }) =>
      Effect.gen(function* () {
        // One header per target and rank: the rest is the list's own fault, and tested with the rules.
        const seen = new Set<string>()
        const list = listed.filter(({ as, override }) => !seen.has(`${as}${override}`) && seen.add(`${as}${override}`))
        const of = (name: string) => came.filter((field) => fold(field.name) === fold(name))
        const result = yield* Effect.result(
          sent(
            list,
            came.map(({ name, value }) => [name, value] as const)
          )
        )
        const twice = list.some(({ name }) => of(name).length > 1)
        assert.strictEqual(Result.isFailure(result), twice)
        if (Result.isFailure(result)) {
          assert.strictEqual(result.failure.reason._tag, "HeaderInvalid")
          return
        }
        const expected = new Map<string, string>()
        for (const rank of [false, true]) {
          for (const { as, name, override } of list) {
            const [field] = of(name)
            if (override === rank && field !== undefined) expected.set(as, field.value)
          }
        }
        assert.deepStrictEqual(new Map(result.success), expected)
      }).pipe(permitted),
    RUNS
  )

  it.effect("credentials pass where the entry says so, Proxy-Authorization among them", () =>
    Effect.gen(function* () {
      const names = ["Authorization", "Cookie", "Proxy-Authorization"]
      const listed = names.map((name) => ({ name, credential: true }))
      const came = names.map((name) => [name, `${name} value`] as const)
      assert.deepStrictEqual(yield* sent(listed, came), came)
      const error = yield* refused([{ name: "Authorization" }], came)
      assert.include(error.message, 'server "example", source passthrough: ')
      assert.include(error.message, '"credential": true')
    }).pipe(permitted)
  )

  it.effect("a listed header yields to every other source; with override only to hooks", () =>
    Effect.gen(function* () {
      const came: Came = [["x-a", "incoming"]]
      for (const rank of [Rank.static, Rank.credential, Rank.oauth, Rank.helper, Rank.hook]) {
        const below = yield* resolve(
          entry({ passthrough: [{ name: "x-a" }] }),
          callOf(came),
          other("o", rank, { "X-A": "o" })
        )
        assert.strictEqual(below.get("x-a")?.source, "o")
        const above = yield* resolve(
          entry({ passthrough: [{ name: "x-a", override: true }] }),
          callOf(came),
          other("o", rank, { "X-A": "o" })
        )
        assert.strictEqual(above.get("x-a")?.source, rank === Rank.hook ? "o" : "passthrough-override")
      }
    }).pipe(permitted)
  )
})

describe("what does not", () => {
  it.effect(
    "F49: a header that came twice is refused, whatever the spellings, and so is one that is not asked for by override",
    () =>
      Effect.gen(function* () {
        for (const came of [
          [
            ["x-a", "canary-1"],
            ["x-a", "canary-2"]
          ],
          [
            ["X-A", "canary-1"],
            ["x_a", "canary-1"]
          ]
        ] satisfies ReadonlyArray<Came>) {
          for (const override of [false, true]) {
            const error = yield* refused([{ name: "X-A", override }], came)
            assert.strictEqual(error.reason._tag, "HeaderInvalid")
            assert.include(error.message, 'header "X-A"')
            assert.include(error.message, "came 2 times")
            assert.notInclude(inspect(error, { depth: 10 }), "canary")
          }
        }
      }).pipe(permitted)
  )

  it.effect("F49: a value with a line break, a control character or a blank at its end is refused and not shown", () =>
    Effect.gen(function* () {
      for (const value of [
        "canary\r\nX-Evil: 1",
        "canary\n",
        "canary\0",
        "canary ",
        "\tcanary",
        "canaryé",
        "canary\u007f"
      ]) {
        const error = yield* refused([{ name: "x-a", as: "X-B" }], [["x-a", value]])
        assert.strictEqual(error.reason._tag, "HeaderInvalid")
        assert.include(error.message, 'header "X-B" at /letterhead.json:1:1')
        assert.notInclude(inspect(error, { depth: 10 }) + error.message, "canary")
      }
      const large = yield* refused([{ name: "x-a" }], [["x-a", "v".repeat(8_193)]])
      assert.strictEqual(large.reason._tag, "HeaderTooLarge")
    }).pipe(permitted)
  )

  it.effect("a required header that did not come, or is empty, fails and names what to do", () =>
    Effect.gen(function* () {
      for (const came of [[], [["x-b", "1"]], [["x-a", ""]]] satisfies ReadonlyArray<Came>) {
        for (const override of [false, true]) {
          const error = yield* refused([{ name: "x-a", required: true, override }], came)
          assert.strictEqual(error.reason._tag, "IncomingMissing")
          assert.include(error.message, 'the incoming header "x-a" is required at /letterhead.json:1:1')
          assert.include(error.message, "--incoming x-a")
        }
      }
      const without = yield* Effect.flip(
        resolve(entry({ passthrough: [{ name: "x-a", required: true }] }), { principal: "ada" })
      )
      assert.strictEqual(without.reason._tag, "IncomingMissing")
    }).pipe(permitted)
  )

  it.effect("an optional header that did not come, or is empty, is left out and says why", () =>
    Effect.gen(function* () {
      const server = entry({ passthrough: [{ name: "x-a", as: "X-B" }] })
      const why = (call: CallContext) =>
        Effect.map(resolve(server, call), ({ provenance }) =>
          provenance.map(({ declared, name, notSent, value }) => ({ declared, name, notSent, value }))
        )
      assert.deepStrictEqual(yield* why(callOf([])), left("no incoming x-a came, and it is optional"))
      assert.deepStrictEqual(yield* why(callOf([["x-a", ""]])), left("the incoming x-a is empty"))
      assert.deepStrictEqual(
        yield* why({ principal: "ada" }),
        left("no incoming headers belong to the call, and x-a is optional")
      )
    }).pipe(permitted)
  )
})

describe("F81: an entry of somebody else's", () => {
  const store = TrustStore.layerMemory
  const gate = TrustGate.layer.pipe(Layer.provideMerge(store), Layer.provideMerge(NodeServices.layer))

  for (const scope of ["project", "remote"] as const) {
    it.live(
      `forwards nothing from a ${scope} configuration before approval, and again nothing when the list changes`,
      () =>
        Effect.gen(function* () {
          const at = { scope, directory: "/nowhere", url: "https://elsewhere.example.com/mcp" } as const
          const server = entry({ ...at, passthrough: [{ name: "x-a" }] })
          const error = yield* Effect.flip(resolve(server, callOf([["x-a", "canary"]])))
          assert.strictEqual(error.reason._tag, "NotTrusted")
          assert.notInclude(inspect(error, { depth: 10 }), "canary")
          assert.deepStrictEqual((yield* resolve(server, callOf([]))).reveal(), [])

          const { approve } = yield* TrustStore.TrustStore
          yield* approve(yield* TrustSubject.make(server), { passEnv: [] })
          assert.deepStrictEqual((yield* resolve(server, callOf([["x-a", "1"]]))).reveal(), [["x-a", "1"]])

          for (const changed of [
            entry({ ...at, passthrough: [{ name: "x-a" }, { name: "x-b" }] }),
            entry({ ...at, passthrough: [{ name: "x-a", as: "X-Other" }] }),
            entry({ ...at, passthrough: [{ name: "x-a", override: true }] }),
            entry({ ...at, passthrough: [{ name: "x-a" }], url: "https://third.example.com/mcp" })
          ]) {
            const again = yield* Effect.flip(resolve(changed, callOf([["x-a", "1"]])))
            assert.strictEqual(again.reason._tag, "NotTrusted")
          }
        }).pipe(Effect.provide(gate))
    )
  }

  it.effect("asks for approval where an incoming header is there to be forwarded, once per entry", () => {
    let asked = 0
    return Effect.gen(function* () {
      const source = yield* PassthroughSource.make
      const server = entry({ scope: "project", passthrough: [{ name: "x-a" }, { name: "x-b" }] })
      yield* source.resolve(server, callOf([["x-c", "1"]]), nothingSoFar)
      assert.strictEqual(asked, 0)
      for (let call = 0; call < 3; call++)
        yield* source.resolve(
          server,
          callOf([
            ["x-a", "1"],
            ["x-b", "1"]
          ]),
          nothingSoFar
        )
      assert.strictEqual(asked, 1)
    }).pipe(
      Effect.provideService(TrustGate.TrustGate, {
        require: () =>
          Effect.sync(() => {
            asked += 1
            return { passEnv: [], verify: Effect.void }
          })
      })
    )
  })
})

describe("through the resolver", () => {
  const sources = Effect.all([PassthroughSource.make, PassthroughSource.makeOverride])
  const layer = HeaderResolver.layer.pipe(
    Layer.provide(
      Layer.effect(
        HeaderSources,
        Effect.map(sources, (list): ReadonlyArray<HeaderSource> => list)
      )
    ),
    Layer.provide([MockTrustGate.layerPermitAll, NodeServices.layer])
  )

  it.effect("each call carries what came with it, and the connection what came with its owner's", () =>
    Effect.gen(function* () {
      const server = entry({ passthrough: [{ name: "x-a", required: true }] })
      const { open } = yield* HeaderResolver.HeaderResolver
      const owner = callOf([["x-a", "owner"]])
      const headers = yield* open(server, owner)
      const calls = Array.from({ length: 1_000 }, (_, index) => index)
      const seen = yield* Effect.forEach(
        calls,
        (index) =>
          Effect.andThen(
            Effect.yieldNow,
            headers.resolve({ ...callOf([["X_A", `${index}`]]), sessionId: `${index % 7}`, method: "tools/call" })
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        seen.map((resolved) => resolved.reveal()),
        calls.map((index) => [["x-a", `${index}`] as const])
      )
      assert.deepStrictEqual((yield* headers.resolve(owner)).reveal(), [["x-a", "owner"]])
      // A call does not borrow what came with another.
      const missing = yield* Effect.flip(headers.resolve({ principal: "ada", method: "tools/call" }))
      assert.strictEqual(missing.reason._tag, "IncomingMissing")
    }).pipe(Effect.provide(layer))
  )
})
