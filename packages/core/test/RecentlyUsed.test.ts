/** What is remembered for many, and what is forgotten. */
import { assert, describe, it } from "@effect/vitest"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"

describe("what is remembered", () => {
  it("is within bounds, and what was used longest ago is forgotten", () => {
    const kept = RecentlyUsed.make<number>({ capacity: 2 })
    kept.set("a", 1)
    kept.set("b", 2)
    assert.strictEqual(kept.get("a"), 1)
    kept.set("c", 3)
    assert.deepStrictEqual([kept.get("a"), kept.get("b"), kept.get("c")], [1, undefined, 3])
    kept.delete("a")
    kept.set("d", 4)
    assert.deepStrictEqual([...kept.values()], [3, 4])
  })

  it("stays as long as it is in use, also where there are too many then", () => {
    const busy = new Set([1, 2])
    const kept = RecentlyUsed.make<number>({ capacity: 1, isIdle: (value) => !busy.has(value) })
    for (const value of busy) kept.set(`${value}`, value)
    assert.deepStrictEqual([...kept.values()], [1, 2])
    busy.clear()
    kept.set("3", 3)
    assert.deepStrictEqual([...kept.values()], [3])
  })
})
