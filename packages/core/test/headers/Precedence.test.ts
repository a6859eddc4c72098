/** Design rule 1, written out: which of the sources wins a header, and what is said of it. */
import { assert, describe, it } from "@effect/vitest"
import type { HeaderPatch } from "@letterhead/core/headers/HeaderPatch"
import { merge, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const

/** Low to high, as the rule says it. */
const ORDER = ["passthrough", "static", "credential", "oauth", "helper", "passthroughOverride", "hook"] as const
const NAMES = ["authorization", "x-api-key", "x-tenant"] as const
const SPELLINGS = [
  (name: string) => name,
  (name: string) => name.toUpperCase(),
  (name: string) => name.replace(/^./, (letter) => letter.toUpperCase())
] as const

type Says = "nothing" | "sets" | "removes" | "leaves out"

const says = Schema.Literals(["nothing", "sets", "removes", "leaves out"])
const Source = Schema.Struct({
  authorization: says,
  "x-api-key": says,
  "x-tenant": says,
  spelling: Schema.Literals([0, 1, 2])
})
/** What each source says of each name, and the order in which the patches come. */
const inputs = {
  sources: Schema.Struct({
    passthrough: Source,
    static: Source,
    credential: Source,
    oauth: Source,
    helper: Source,
    passthroughOverride: Source,
    hook: Source
  }),
  order: Schema.Array(Schema.Int)
}
type Sources = (typeof inputs.sources)["Type"]

const patchOf = (source: (typeof ORDER)[number], said: Sources[(typeof ORDER)[number]]): HeaderPatch => {
  const spelled = (name: string) => SPELLINGS[said.spelling](name)
  const those = (what: Says) => NAMES.filter((name) => said[name] === what).map(spelled)
  const declared = `${source}.json`
  return {
    source,
    rank: Rank[source],
    generation: 1,
    ...(source === "passthroughOverride" ? { rankedFor: "its entry says so" } : {}),
    set: those("sets").map((name) => ({ name, value: Redacted.make(`${source} ${name.toLowerCase()}`), declared })),
    remove: those("removes").map((name) => ({ name, declared })),
    omitted: those("leaves out").map((name) => ({ name, declared, why: `${source} has none` }))
  }
}

const merged = (sources: Sources, order: ReadonlyArray<number>): ResolvedHeaders =>
  Result.getOrThrow(
    merge(
      ORDER.map((source, index) => ({ patch: patchOf(source, sources[source]), key: order[index] ?? 0 }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ patch }) => patch)
    )
  )

describe("precedence", () => {
  it.prop(
    "passthrough < static < credential < oauth < helper < passthrough with override < hook, for each header alone",
    inputs,
    ({ order, sources }) => {
      const headers = merged(sources, order)
      for (const name of NAMES) {
        const decisive = ORDER.findLast(
          (source) => sources[source][name] === "sets" || sources[source][name] === "removes"
        )
        const expected = decisive !== undefined && sources[decisive][name] === "sets" ? decisive : undefined
        const found = headers.get(name)
        assert.strictEqual(found?.source, expected)
        if (expected === undefined || found?.value === undefined) continue
        assert.strictEqual(Redacted.value(found.value), `${expected} ${name}`)
      }
    },
    RUNS
  )

  it.prop(
    "one value is sent under each name, and it is of one source: nothing is joined",
    inputs,
    ({ order, sources }) => {
      const headers = merged(sources, order).reveal()
      assert.strictEqual(new Set(headers.map(([name]) => name.toLowerCase())).size, headers.length)
      for (const [name, value] of headers) {
        assert.isTrue(ORDER.some((source) => value === `${source} ${name.toLowerCase()}`))
      }
    },
    RUNS
  )

  it.prop(
    "taking away a source that lost changes nothing that is sent; taking away the one that won lets the next one win",
    { ...inputs, without: Schema.Literals(ORDER) },
    ({ order, sources, without }) => {
      const silent = { authorization: "nothing", "x-api-key": "nothing", "x-tenant": "nothing", spelling: 0 } as const
      const before = merged(sources, order)
      const after = merged({ ...sources, [without]: silent }, order)
      for (const name of NAMES) {
        const winner = before.get(name)?.source
        if (winner !== without && sources[without][name] !== "removes") {
          assert.strictEqual(after.get(name)?.source, winner)
        }
        if (winner !== without) continue
        const next = before.get(name)?.shadowed[0]?.source
        const states = ORDER.find((source) => source === next && sources[source][name] === "sets")
        assert.strictEqual(after.get(name)?.source, states)
      }
    },
    RUNS
  )

  it.prop(
    "why a value won names the sources it beat and no others; where it beat none, that",
    inputs,
    ({ order, sources }) => {
      for (const field of merged(sources, order).provenance) {
        assert.strictEqual(field.value === undefined, field.won === undefined)
        if (field.won === undefined) continue
        const beaten = field.shadowed.map(({ source }) => source)
        const reason = field.source === "passthroughOverride" ? ": its entry says so" : ""
        assert.strictEqual(
          field.won,
          beaten.length === 0 ? "nothing else sets it" : `${field.source} ranks above ${beaten.join(", ")}${reason}`
        )
      }
    },
    RUNS
  )

  it.prop(
    "a field that is not sent says why, in the words of the source that decided it",
    inputs,
    ({ order, sources }) => {
      for (const field of merged(sources, order).provenance) {
        if (field.value !== undefined) continue
        const name = NAMES.find((each) => each === field.name.toLowerCase()) ?? "authorization"
        const lowest = ORDER.findIndex((source) => sources[source][name] === "sets")
        const remover = ORDER.findLast((source) => sources[source][name] === "removes")
        const leaver = ORDER.find((source) => sources[source][name] === "leaves out")
        // What nobody sets, nobody removes: then it is left out.
        assert.strictEqual(field.notSent, lowest === -1 ? `${leaver} has none` : `removed by ${remover}`)
      }
    },
    RUNS
  )

  it("F51: OAuth, static, helper and hook all set Authorization: the hook's is sent, and the rest is its shadow", () => {
    const all = ["hook", "static", "oauth", "helper"] as const
    const headers = Result.getOrThrow(
      merge(
        all.map((source) =>
          patchOf(source, { authorization: "sets", "x-api-key": "nothing", "x-tenant": "nothing", spelling: 2 })
        )
      )
    )
    assert.deepStrictEqual(headers.reveal(), [["Authorization", "hook authorization"]])
    assert.deepStrictEqual(
      headers.get("authorization")?.shadowed.map(({ source }) => source),
      ["helper", "oauth", "static"]
    )
    assert.strictEqual(headers.get("authorization")?.won, "hook ranks above helper, oauth, static")
  })
})
