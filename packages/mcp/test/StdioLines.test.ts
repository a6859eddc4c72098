import { assert, describe, it } from "@effect/vitest"
import { StdioLines } from "@letterhead/mcp/stdio/StdioLines"

const encoder = new TextEncoder()

/** The lines of a text that comes in chunks of so many bytes. */
const linesOf = (text: string, size: number, limit = 1_000) => {
  const bytes = encoder.encode(text)
  const lines = new StdioLines(limit)
  const found = []
  for (let at = 0; at < bytes.length; at += size) found.push(...lines.push(bytes.subarray(at, at + size)))
  return [...found, ...lines.end()]
}

describe("StdioLines", () => {
  it("gives the same lines whatever the chunks, with characters of several bytes in them", () => {
    const text = 'one\r\n{"two":"zwölf € 😀"}\n\nlast'
    for (let size = 1; size <= 40; size += 1) {
      assert.deepStrictEqual(
        linesOf(text, size).map(({ text }) => text),
        ["one", '{"two":"zwölf € 😀"}', "", "last"]
      )
    }
  })

  it("gives a line that is too long at once, cut, and drops the rest of it", () => {
    for (let size = 1; size <= 30; size += 1) {
      assert.deepStrictEqual(linesOf("12345\n123456\n1234567890\nshort\n", size, 5), [
        { text: "12345", cut: false },
        { text: "12345", cut: true },
        { text: "12345", cut: true },
        { text: "short", cut: false }
      ])
    }
  })

  it("keeps nothing of a chunk that its owner writes over", () => {
    const lines = new StdioLines(100)
    const chunk = encoder.encode("ab")
    lines.push(chunk)
    chunk.fill(120)
    assert.deepStrictEqual(lines.push(encoder.encode("c\n")), [{ text: "abc", cut: false }])
  })
})
