/** Whose proof goes with a request: that of the Authorization that won, and no other. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, HeaderTooLarge, SignInRequired } from "@letterhead/core/headers/HeaderError"
import type { HeaderPatch } from "@letterhead/core/headers/HeaderPatch"
import type { ProvenRequest, RequestProof } from "@letterhead/core/headers/RequestProof"
import { merge, none, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const
const REQUEST: ProvenRequest = { method: "POST", url: new URL("https://example.com/mcp") }
const NAMES = ["Authorization", "authorization", "DPoP", "X-Key"] as const

const Patch = Schema.Struct({
  rank: Schema.Literals([100, 200, 400, 700]),
  set: Schema.Array(Schema.Literals(NAMES)),
  remove: Schema.Array(Schema.Literals(NAMES)),
  proves: Schema.Boolean
})

const field = (name: string, value: string) => ({ name, value: Redacted.make(value), declared: "here" })

/** Says by its value whose it is. */
const proofOf = (source: string, value = `proof of ${source}`): RequestProof => ({
  prove: ({ method }) => Effect.succeed([field("dpop", `${method} ${value}`)]),
  answered: () => false
})

const patchesOf = (drafts: ReadonlyArray<typeof Patch.Type>): ReadonlyArray<HeaderPatch> =>
  drafts.map(({ proves, rank, remove, set }, index) => ({
    source: `source-${index}`,
    rank,
    generation: index,
    set: set.map((name) => field(name, `source-${index}`)),
    remove: remove.map((name) => ({ name, declared: "here" })),
    omitted: [],
    ...(proves ? { proof: proofOf(`source-${index}`) } : {})
  }))

const merged = (patches: ReadonlyArray<HeaderPatch>): ResolvedHeaders => Result.getOrThrow(merge(patches))

const valueOf = (headers: ResolvedHeaders, name: string): string | undefined => {
  const value = headers.get(name)?.value
  return value === undefined ? undefined : Redacted.value(value)
}

describe("a proof", () => {
  it.effect.prop(
    "goes with the Authorization of its own patch, over what anybody else says of its field, and with no other",
    { drafts: Schema.Array(Patch) },
    ({ drafts }) =>
      Effect.gen(function* () {
        const patches = patchesOf(drafts)
        const headers = merged(patches)
        const winner = patches.find(({ source }) => source === headers.get("authorization")?.source)
        const proven = yield* headers.proven(REQUEST)
        assert.strictEqual(headers.proof, winner?.proof)
        if (winner?.proof === undefined) {
          assert.strictEqual(proven, headers)
        } else {
          assert.strictEqual(valueOf(proven, "DPoP"), `POST proof of ${winner.source}`)
          assert.strictEqual(proven.get("DPoP")?.source, winner.source)
        }
        assert.strictEqual(valueOf(proven, "authorization"), valueOf(headers, "authorization"))
        assert.strictEqual(valueOf(proven, "x-key"), valueOf(headers, "x-key"))
        assert.deepStrictEqual([...proven.generations], [...headers.generations])
        // What a retry of the call is told of.
        for (const { source } of patches) assert.strictEqual(proven.patchOf(source), headers.patchOf(source))
      }),
    RUNS
  )

  it.effect.prop(
    "is the same however the patches were put together",
    { drafts: Schema.Array(Patch), cut: Schema.Literals([0, 1, 2, 3]) },
    ({ cut, drafts }) =>
      Effect.sync(() => {
        const patches = patchesOf(drafts)
        const inParts = Result.getOrThrow(merged(patches.slice(0, cut)).and(patches.slice(cut)))
        assert.strictEqual(inParts.proof, merged(patches).proof)
      }),
    RUNS
  )

  it.effect("is made for each request, and changes nothing of the headers it is for", () =>
    Effect.gen(function* () {
      let made = 0
      const proof: RequestProof = {
        ...proofOf("oauth"),
        prove: ({ method, url }) => Effect.sync(() => [field("DPoP", `${method} ${url.href} ${(made += 1)}`)])
      }
      const headers = merged([{ ...base, set: [field("Authorization", "DPoP token")], proof }])
      const [first, second] = [yield* headers.proven(REQUEST), yield* headers.proven({ ...REQUEST, method: "GET" })]
      assert.deepStrictEqual(
        [first, second].map((proven) => valueOf(proven, "dpop")),
        ["POST https://example.com/mcp 1", "GET https://example.com/mcp 2"]
      )
      assert.isFalse(headers.has("dpop"))
      assert.include(first.get("dpop")?.won ?? "", "nothing else sets it")
    })
  )

  it.effect("says why it goes before what another source sets", () =>
    Effect.gen(function* () {
      const headers = merged([
        { ...base, source: "static", set: [field("DPoP", "fixed")] },
        { ...base, set: [field("Authorization", "DPoP token")], proof: proofOf("oauth") }
      ])
      const proven = yield* headers.proven(REQUEST)
      assert.strictEqual(
        proven.get("dpop")?.won,
        "oauth ranks above static: it proves the key of the Authorization that is sent"
      )
    })
  )

  it.effect("that fails, or that makes the request too large, is an error", () =>
    Effect.gen(function* () {
      const broken = new HeaderError({ reason: new SignInRequired({ server: "example", description: "no key" }) })
      const set = [field("Authorization", "DPoP token"), field("X-Key", "v".repeat(8_000))]
      const failing = merged([{ ...base, set, proof: { ...proofOf("oauth"), prove: () => Effect.fail(broken) } }])
      assert.strictEqual(yield* Effect.flip(failing.proven(REQUEST)), broken)
      const large = merged([{ ...base, set, proof: proofOf("oauth", "v".repeat(8_000)) }])
      const error = yield* Effect.flip(large.proven(REQUEST))
      assert.instanceOf(error.reason, HeaderTooLarge)
      assert.strictEqual(error.source, "oauth")
    })
  )

  it("is none where there are no headers", () => {
    assert.isUndefined(none.proof)
  })
})

const base: HeaderPatch = { source: "oauth", rank: 400, generation: 1, set: [], remove: [], omitted: [] }
