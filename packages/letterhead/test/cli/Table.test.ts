import { describe, expect, it } from "@effect/vitest"
import { plain } from "../../src/cli/Style.ts"
import { render } from "../../src/cli/Table.ts"

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
})
