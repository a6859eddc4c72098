import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as YamlDocument from "../src/YamlDocument.ts"

const message = (text: string): string => {
  const parsed = YamlDocument.parse("f.yaml", text)
  return Result.isFailure(parsed) ? parsed.failure.message : "no error"
}

describe("each mistake has a sentence of its own, with line and column", () => {
  it.each([
    ["# nothing\n", 'the file is empty; write "mcpServers: {}"'],
    ["a:\n\tb: 1\n", "not valid YAML: a tab is used for indentation; use spaces"],
    ["a: 1\n b: 2\n", "not valid YAML: "],
    ['a: "x\n', "not valid YAML: a closing quote, bracket or brace, or a comma is missing; add it"],
    ["a: [1, 2\n", "not valid YAML: "],
    ["a: 1\n---\nb: 2\n", 'not valid YAML: a second document starts here; keep one, without "---" or "..." between'],
    ["a: !secret x\n", "not valid YAML: a tag (!…) is not supported; remove it, or put the text in quotes"],
    ["a: *nowhere\n", "an alias (*name) stands for an anchor (&name) that is not above it; add the anchor"],
    ["? [a]\n: b\n", "not valid YAML: a key is not text; write a plain or quoted word"],
    ["a: @b\n", "not valid YAML: a text cannot start with this character; put it in quotes"]
  ])("%j", (text, expected) => {
    expect(message(text)).toMatch(/^f\.yaml:\d+:\d+: /)
    expect(message(text)).toContain(expected)
  })

  it("the place is where the mistake is", () => {
    expect(message("a:\n  b: 1\n\tc: 2\n")).toMatch(/^f\.yaml:3:1: /)
    expect(message("a: 1\nb: *x\n")).toMatch(/^f\.yaml:2:4: /)
  })
})

it("nothing of the text is in a message", () => {
  for (const text of [
    "a: *canary-secret",
    "a: !canary-secret x",
    '"canary-secret',
    "- canary-secret\nb: canary-secret"
  ]) {
    expect(message(text)).not.toBe("no error")
    expect(message(text)).not.toContain("canary")
  }
})

it("aliases are written out, with the place of their use", () => {
  const parsed = Result.getOrThrow(YamlDocument.parse("f.yaml", "a: &x\n  k: v\nb: *x\n"))
  expect(parsed.value([])).toEqual({ a: { k: "v" }, b: { k: "v" } })
  expect(parsed.place(["b"])).toEqual({ file: "f.yaml", line: 3, column: 4, path: "b" })
})

it("F14: a billion laughs, an alias within itself and 100,000 levels are refused with a sentence", () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = Array.from({ length: 9 }, () => (level === 0 ? "lol" : `*l${level - 1}`)).join(", ")
    return `l${level}: &l${level} [${items}]`
  })
  expect(message(levels.join("\n"))).toContain("more than 100 uses of aliases")
  expect(message("a: &a [*a]")).toMatch(/nested deeper than 64 levels|more than 100 uses of aliases/)
  expect(message("- ".repeat(100_000))).toContain("nested deeper than 64 levels")
  expect(message("[".repeat(100_000))).toContain("nested deeper than 64 levels")
})

it("an alias cannot make a document larger than the limit", () => {
  const large = `a: &a [${"1,".repeat(10_000)}]\nb: [${"*a,".repeat(60)}]`
  expect(message(large)).toContain("more than 500000 values, aliases counted in full")
})

it("a key written twice is kept with its place", () => {
  const parsed = Result.getOrThrow(YamlDocument.parse("f.yaml", "a:\n  b: 1\n  b: 2\n"))
  expect(parsed.duplicates.map(({ path, offset }) => parsed.placeAt(offset, path))).toEqual([
    { file: "f.yaml", line: 3, column: 3, path: "a.b" }
  ])
})
