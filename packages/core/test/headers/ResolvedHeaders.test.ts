/** The laws of merging, against a model that looks at one field at a time. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderTooLarge } from "@letterhead/core/headers/HeaderError"
import type { HeaderPatch } from "@letterhead/core/headers/HeaderPatch"
import { merge, none, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const
const NAMES = ["A", "a", "X-Key", "x-key", "X-KEY", "Authorization", "B"] as const
const RANKS = [100, 200, 200, 300, 500, 700] as const

const Patch = Schema.Struct({
  rank: Schema.Literals(RANKS),
  generation: Schema.Literals([0, 1, 2]),
  set: Schema.Array(Schema.Struct({ name: Schema.Literals(NAMES), value: Schema.Literals(["1", "2", "3"]) })),
  remove: Schema.Array(Schema.Literals(NAMES)),
  omitted: Schema.Array(Schema.Literals(NAMES))
})
const patches = Schema.Array(Patch)

/** The source of a patch is its place in the list: what a merge says of it can be traced back. */
const patchesOf = (drafts: ReadonlyArray<typeof Patch.Type>): ReadonlyArray<HeaderPatch> =>
  drafts.map(({ generation, omitted, rank, remove, set }, index) => ({
    source: `source-${index}`,
    rank,
    generation,
    set: set.map(({ name, value }) => ({ name, value: Redacted.make(`${index}-${value}`), declared: `set-${index}` })),
    remove: remove.map((name) => ({ name, declared: `remove-${index}` })),
    omitted: omitted.map((name) => ({ name, declared: `omit-${index}`, why: "empty" }))
  }))

const merged = (list: ReadonlyArray<HeaderPatch>): ResolvedHeaders => Result.getOrThrow(merge(list))
const sent = (headers: ResolvedHeaders): ReadonlyArray<string> =>
  headers
    .reveal()
    .map(([name, value]) => `${name}: ${value}`)
    .toSorted()
/** All that a merge says, in plain text. */
const said = (headers: ResolvedHeaders): string =>
  JSON.stringify([
    headers.provenance.map((field) => ({
      ...field,
      value: field.value === undefined ? null : Redacted.value(field.value)
    })),
    [...headers.generations].toSorted(([a], [b]) => (a < b ? -1 : 1))
  ])

/** Of all statements about a field, in order of rank and then of the list, the last that sets or removes it decides. */
const model = (list: ReadonlyArray<HeaderPatch>): ReadonlyArray<string> => {
  const folded = new Set(NAMES.map((name) => name.toLowerCase()))
  const ranks = [...new Set(RANKS)]
  return [...folded]
    .flatMap((name) => {
      const statements = ranks.flatMap((rank) =>
        list
          .filter((patch) => patch.rank === rank)
          .flatMap((patch) => [
            ...patch.set.map((field) => [field.name, Redacted.value(field.value)] as const),
            ...patch.remove.map((field) => [field.name, undefined] as const)
          ])
          .filter(([written]) => written.toLowerCase() === name)
      )
      const last = statements.at(-1)
      return last?.[1] === undefined ? [] : [`${last[0]}: ${last[1]}`]
    })
    .toSorted()
}

/** Two fields, of which the second has a value of that many bytes. */
const twoFields = (last: number): HeaderPatch => ({
  source: "a",
  rank: 1,
  generation: 0,
  set: [8_191, last].map((size, index) => ({
    name: String(index),
    value: Redacted.make("v".repeat(size)),
    declared: "here"
  })),
  remove: [],
  omitted: []
})

describe("merge", () => {
  it.prop(
    "the highest rank wins, within a rank the later, without regard to case; a removal is a statement like another",
    { patches },
    ({ patches }) => {
      const list = patchesOf(patches)
      assert.deepStrictEqual(sent(merged(list)), model(list))
    },
    RUNS
  )

  it.prop(
    "patches of distinct ranks give the same in any order",
    { patches, order: Schema.Array(Schema.Int) },
    ({ patches, order }) => {
      const seen = new Set<number>()
      const list = patchesOf(patches).filter(({ rank }) => !seen.has(rank) && seen.add(rank))
      const keyed = list.map((patch, index) => ({ patch, key: order[index] ?? 0 }))
      const shuffled = keyed.toSorted((a, b) => a.key - b.key).map(({ patch }) => patch)
      assert.strictEqual(said(merged(shuffled)), said(merged(list)))
      assert.strictEqual(said(merged(list.toReversed())), said(merged(list)))
    },
    RUNS
  )

  it.prop(
    "merging once more what was merged changes nothing that is sent",
    { patches },
    ({ patches }) => {
      const list = patchesOf(patches)
      const byRank = list.toSorted((a, b) => a.rank - b.rank)
      assert.deepStrictEqual(sent(merged([...byRank, ...byRank])), sent(merged(byRank)))
    },
    RUNS
  )

  it.prop(
    "a field is there once, sent or not, and says why it is not sent",
    { patches },
    ({ patches }) => {
      const { provenance } = merged(patchesOf(patches))
      const names = provenance.map((field) => field.name.toLowerCase())
      assert.strictEqual(new Set(names).size, names.length)
      for (const field of provenance) assert.strictEqual(field.value === undefined, field.notSent !== undefined)
    },
    RUNS
  )

  it.prop(
    "what loses is in the shadow of what wins, highest first, and nothing else is",
    { patches },
    ({ patches }) => {
      const list = patchesOf(patches)
      const byRank = list.toSorted((a, b) => a.rank - b.rank)
      for (const field of merged(list).provenance) {
        if (field.value === undefined) continue
        const same = ({ name }: { readonly name: string }) => name.toLowerCase() === field.name.toLowerCase()
        let settled = false
        const statements = byRank.flatMap((patch) => {
          const set = patch.set.filter(same).map(({ declared }) => ({ source: patch.source, declared }))
          settled ||= set.length > 0
          // A removal of what nobody set states nothing.
          const removed = settled ? patch.remove.filter(same) : []
          return [...set, ...removed.map(({ declared }) => ({ source: patch.source, declared }))]
        })
        const [winner, ...shadowed] = statements.toReversed()
        assert.deepStrictEqual({ source: field.source, declared: field.declared }, winner)
        assert.deepStrictEqual(field.shadowed, shadowed)
      }
    },
    RUNS
  )

  it.prop(
    "a source that leaves a field out displaces nobody",
    { patches },
    ({ patches }) => {
      const list = patchesOf(patches)
      assert.deepStrictEqual(sent(merged(list)), sent(merged(list.map((patch) => ({ ...patch, omitted: [] })))))
    },
    RUNS
  )

  it.prop(
    "what was merged and further patches give what all of them give at once, and the first are left as they were",
    { patches, further: patches },
    ({ further, patches }) => {
      const first = patchesOf(patches)
      const second = patchesOf(further).map((patch) => ({ ...patch, source: `further-${patch.source}` }))
      const before = merged(first)
      const text = said(before)
      const atOnce = merged([...first, ...second])
      const oneByOne = [...first, ...second].reduce((headers, patch) => Result.getOrThrow(headers.and([patch])), none)
      for (const headers of [Result.getOrThrow(before.and(second)), oneByOne]) {
        assert.strictEqual(said(headers), said(atOnce))
        assert.deepStrictEqual(headers.reveal(), atOnce.reveal())
      }
      assert.strictEqual(said(before), text)
    },
    RUNS
  )

  it.prop(
    "the generation of every source that took part is known",
    { patches },
    ({ patches }) => {
      const list = patchesOf(patches)
      assert.deepStrictEqual(
        new Map(merged(list).generations),
        new Map(list.toSorted((a, b) => a.rank - b.rank).map((patch) => [patch.source, patch.generation]))
      )
    },
    RUNS
  )

  it.prop(
    "F17: more than 64 fields or 12 KiB together are refused, and no fewer; fields not sent do not count",
    {
      count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 130 })),
      size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 400 })),
      removed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 130 }))
    },
    ({ count, removed, size }) => {
      const fields = Array.from({ length: count }, (_, index) => ({
        name: `X-${String(index).padStart(3, "0")}`,
        value: Redacted.make("v".repeat(size)),
        declared: "here"
      }))
      const below: HeaderPatch = { source: "a", rank: 1, generation: 0, set: fields, remove: [], omitted: [] }
      const above: HeaderPatch = { ...below, source: "b", rank: 2, set: [], remove: fields.slice(0, removed) }
      const left = Math.max(0, count - removed)
      const fits = left <= 64 && left * (5 + size) <= 12 * 1024
      const result = merge([below, above])
      assert.strictEqual(Result.isSuccess(result), fits)
      // What is removed again makes room, however it is put together.
      const onto = Result.flatMap(merge([below]), (headers) => headers.and([above]))
      if (Result.isSuccess(merge([below]))) assert.strictEqual(Result.isSuccess(onto), fits)
      if (Result.isFailure(result)) assert.instanceOf(result.failure, HeaderTooLarge)
    },
    RUNS
  )

  it.prop(
    "what is merged shows no value, and get() finds what is sent whatever the case",
    { patches },
    ({ patches }) => {
      const headers = merged(patchesOf(patches))
      for (const [name, value] of headers.reveal()) {
        const found = headers.get(name.toUpperCase())?.value
        assert.strictEqual(found === undefined ? undefined : Redacted.value(found), value)
        assert.notInclude(JSON.stringify(headers), `"${value}"`)
      }
    },
    RUNS
  )

  it("F17: 12 KiB together are sent, and not a byte more", () => {
    assert.isTrue(Result.isSuccess(merge([twoFields(12 * 1024 - 8_191 - 2)])))
    assert.isTrue(Result.isFailure(merge([twoFields(12 * 1024 - 8_191 - 1)])))
  })

  it("a removal of what nobody stated leaves no trace", () => {
    const remove = [{ name: "A", declared: "here" }]
    const headers = merged([{ source: "a", rank: 1, generation: 0, set: [], remove, omitted: [] }])
    assert.deepStrictEqual(headers.provenance, [])
  })
})
