import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as JsonDocument from "../src/JsonDocument.ts"

const message = (text: string): string => {
  const parsed = JsonDocument.parse("f.json", text)
  return Result.isFailure(parsed) ? parsed.failure.message : "no error"
}

describe("each mistake has a sentence of its own, with line and column", () => {
  it.each([
    ["", '1:1: the file is empty; write { "mcpServers": {} }'],
    ["  // only this\n", '1:1: the file is empty; write { "mcpServers": {} }'],
    ['{\n  "a": 1\n  "b": 2\n}', '3:3: not valid JSON: "," is missing between this and what stands before it; add it'],
    ['{ "a" 1 }', '1:7: not valid JSON: ":" is missing after a key; write "key": value'],
    ["{ a: 1 }", "1:3: not valid JSON: a bare word that is not true, false or null; put text in double quotes"],
    ['{ "a": }', "1:8: not valid JSON: a value is missing here; write one"],
    ['{ "a": "x\n" }', "1:8: not valid JSON: a text is not closed on its line; end it with a double quote"],
    ['{ "a": 1', '1:9: not valid JSON: "}" is missing; close the object'],
    ['["a"', '1:5: not valid JSON: "]" is missing; close the list'],
    ["{} {}", "1:4: not valid JSON: something stands after the end of the document; remove it"],
    ['{ /* "a": 1 }', '1:3: not valid JSON: a comment is not closed; end it with "*/"'],
    [
      String.raw`{ "a": "\u12" }`,
      String.raw`1:8: not valid JSON: "\u" is not followed by four hexadecimal digits; correct it`
    ],
    [
      String.raw`{ "a": "C:\dir" }`,
      String.raw`1:8: not valid JSON: a "\" is followed by a character that cannot follow it; write "\\" for a backslash`
    ],
    [
      '{ "a": "\t" }',
      String.raw`1:8: not valid JSON: a text contains a control character; write it as "\t", "\n" or "\uXXXX"`
    ]
  ])("%j", (text, expected) => {
    expect(message(text)).toBe(`f.json:${expected}`)
  })
})

it("comments and trailing commas are accepted in any JSON", () => {
  const parsed = JsonDocument.parse("f.json", `// top\n{ "a": [1, 2,], /* in */ "b": null, }\n`)
  expect(Result.getOrThrow(parsed).value([])).toEqual({ a: [1, 2], b: null })
})

it("nothing of the text is in a message", () => {
  expect(message('{ "token": "canary-secret" canary-secret }')).not.toContain("canary")
})

it("F14: JSON of 200,000 levels, or deeper than the limit, is refused with a sentence", () => {
  expect(message("[".repeat(200_000))).toContain("f.json:1:1: ")
  expect(message("[".repeat(200_000) + "]".repeat(200_000))).toContain("nested deeper than 64 levels")
  expect(message("[".repeat(66) + "]".repeat(66))).toBe(
    "f.json:1:65: nested deeper than 64 levels; make the document flatter"
  )
  expect(message("[".repeat(64) + "]".repeat(64))).toBe("no error")
})

it("a key written twice is kept with its place", () => {
  const parsed = Result.getOrThrow(JsonDocument.parse("f.json", `{ "a": { "b": 1,\n "b": 2 } }`))
  expect(parsed.duplicates.map(({ path, offset }) => parsed.placeAt(offset, path))).toEqual([
    { file: "f.json", line: 2, column: 2, path: "a.b" }
  ])
})
