import { describe, expect, it } from "@effect/vitest"
import { plain } from "../../src/cli/Style.ts"
import { render, widthOf } from "../../src/cli/Table.ts"

const table = {
  columns: ["header", "value", "why"],
  rows: [
    ["X-Team", "blue", ""],
    ["X-漢字", "•••", "because"]
  ]
}

describe("Table", () => {
  it("puts cells under their headings, wide characters included, without blanks at line ends", () => {
    expect(render(table, { style: plain, width: undefined }).split("\n")).toEqual([
      "header  value  why",
      "X-Team  blue",
      "X-漢字  •••    because"
    ])
  })

  it("becomes one block per row where the terminal is narrower, and leaves empty cells out", () => {
    expect(render(table, { style: plain, width: 20 })).toBe(
      ["X-Team", "  value  blue", "", "X-漢字", "  value  •••", "  why    because"].join("\n")
    )
  })

  it("wraps its last column where it may, at blanks, and within a word only where it alone is too long", () => {
    const rows = [["X-Team", "static", `one two ${"three".repeat(8)}\nfour`]]
    const wrapped = { columns: ["header", "source", "why"], rows, wrapLast: true }
    expect(render(wrapped, { style: plain, width: 46 }).split("\n")).toEqual([
      "header  source  why",
      "X-Team  static  one two",
      `                ${"three".repeat(6)}`,
      `                ${"three".repeat(2)}`,
      "                four"
    ])
    expect(widthOf(wrapped)).toBe(64)
    expect(render(wrapped, { style: plain, width: 64 }).split("\n")).toHaveLength(3)
    expect(render(wrapped, { style: plain, width: 45 })).toBe(
      ["X-Team", "  source  static", `  why     one two ${"three".repeat(8)}`, "          four"].join("\n")
    )
  })
})
