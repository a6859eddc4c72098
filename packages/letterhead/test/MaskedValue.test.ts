import { describe, expect, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { mask, REVEAL_ABOVE, REVEALED, withoutValues } from "../src/MaskedValue.ts"

describe("MaskedValue", () => {
  it("shows the length, and of a long value the last two characters, and no other character of any value", () => {
    for (let length = 1; length <= 1_000; length++) {
      // Letters that occur nowhere else in a mask.
      const value = `${"s".repeat(Math.max(0, length - REVEALED))}${"yz".slice(-Math.min(REVEALED, length))}`
      const shown = mask(Redacted.make(value))
      expect(shown).toContain(`(${value.length}`)
      expect(shown).not.toContain("s")
      expect(shown.includes("yz")).toBe(value.length > REVEAL_ABOVE)
      expect(shown.includes("z")).toBe(value.length > REVEAL_ABOVE)
    }
  })

  it("takes values out of other text, the longer ones first, and leaves those alone that are too short to be told", () => {
    const values = ["Bearer secret-one", "secret-one-and-more", "abc"].map((value) => Redacted.make(value))
    expect(withoutValues(`print abc secret-one secret-one-and-more "Bearer secret-one"`, values)).toBe(
      `print abc ••••• ••••• "Bearer •••••"`
    )
  })
})
