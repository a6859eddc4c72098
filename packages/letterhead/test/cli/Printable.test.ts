import { describe, expect, it } from "@effect/vitest"
import { firstLine, printable, printableLine, shortened } from "../../src/cli/Printable.ts"

describe("Printable", () => {
  it("leaves no control or direction character in any text", () => {
    // Every code unit, alone and between letters.
    for (let code = 0; code <= 0xffff; code++) {
      const text = printableLine(`a${String.fromCharCode(code)}b`)
      // oxlint-disable-next-line no-control-regex -- finding control characters is the point
      expect(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/.test(text)).toBe(false)
    }
  })

  it("keeps lines and tabs where lines are wanted, and words everywhere", () => {
    expect(printable("one\r\ntwo\tthree ü 漢 👍")).toBe("one\ntwo\tthree ü 漢 👍")
    expect(printableLine("one\ntwo\tthree")).toBe("one\\ntwo\\tthree")
    expect(printable("\u001b[31mred")).toBe("\\u{1b}[31mred")
    expect(firstLine("\n first\nsecond")).toBe("first")
  })

  it("leaves out the folder the person stands in, and no other", () => {
    expect(shortened("run /a/b/c.js · /a/b/.mcp.json:1:2", "/a/b")).toBe("run ./c.js · ./.mcp.json:1:2")
    expect(shortened("/a/bc/d", "/a/b")).toBe("/a/bc/d")
    expect(shortened("/etc/x", "/")).toBe("/etc/x")
  })
})
