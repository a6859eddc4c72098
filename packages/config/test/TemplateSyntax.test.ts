import { assert, expect, it } from "@effect/vitest"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TemplateSyntax from "../src/TemplateSyntax.ts"

const partsOf = (template: Result.Result<Template, string>) => Result.map(template, ({ parts }) => parts)
const parts = (source: string) => partsOf(TemplateSyntax.shell(source))
const braced = (source: string) => partsOf(TemplateSyntax.braces(source))

it("for a shell, variables are ${VAR} and ${VAR:-default}, and everything else is text", () => {
  expect(parts("a${B}c${D:-e:-f}")).toEqual(
    Result.succeed([
      { _tag: "Text", text: "a" },
      { _tag: "Variable", name: "B" },
      { _tag: "Text", text: "c" },
      { _tag: "Variable", name: "D", fallback: "e:-f" }
    ])
  )
  for (const text of ["$$", "$VAR", "{env:A}", "{file:a}", "${A", "a}b"]) {
    expect(parts(text)).toEqual(Result.succeed([{ _tag: "Text", text }]))
  }
  for (const text of ["${}", "${a-b}", "${A:-${B}}"]) expect(Result.isFailure(parts(text))).toBe(true)
})

it("in braces, variables are {env:VAR}, files {file:path}, and everything else is text", () => {
  expect(braced("a{env:B}c{file: ~/d }")).toEqual(
    Result.succeed([
      { _tag: "Text", text: "a" },
      { _tag: "Variable", name: "B" },
      { _tag: "Text", text: "c" },
      { _tag: "File", path: "~/d" }
    ])
  )
  for (const text of ["$$", "${VAR}", "{env}", "{env:A", "{ env:A}"]) {
    expect(braced(text)).toEqual(Result.succeed([{ _tag: "Text", text }]))
  }
  for (const text of ["{env:}", "{env:a-b}", "{file:}", "{file: }"]) expect(Result.isFailure(braced(text))).toBe(true)
})

const Part = Schema.Union([
  Schema.Struct({
    _tag: Schema.Literal("Text"),
    text: Schema.Literals(["a", " ", "$", "$$", "{", "}", "é", ":-", "env:"])
  }),
  Schema.Struct({ _tag: Schema.Literal("Variable"), name: Schema.Literals(["A", "_b", "C1"]) }),
  Schema.Struct({
    _tag: Schema.Literal("Fallback"),
    name: Schema.Literals(["A", "_b"]),
    fallback: Schema.Literals(["", "x", ":-", "{"])
  }),
  Schema.Struct({ _tag: Schema.Literal("File"), path: Schema.Literals(["a", "~/b", "/c d"]) })
])

/** Neighbouring texts as one; a text that makes a mark with what follows it is not what this is about. */
const joined = (written: ReadonlyArray<Template["parts"][number]>): ReadonlyArray<Template["parts"][number]> => {
  const joinedParts: Array<Template["parts"][number]> = []
  for (const part of written) {
    const last = joinedParts.at(-1)
    if (part._tag === "Text" && last?._tag === "Text")
      joinedParts[joinedParts.length - 1] = { _tag: "Text", text: last.text + part.text }
    else joinedParts.push(part)
  }
  return joinedParts
}

it.prop(
  "what is written of parts reads back as those parts, in both ways of writing",
  { parts: Schema.Array(Part) },
  ({ parts: written }) => {
    const inShell = written.filter(
      (part) => part._tag !== "File" && !(part._tag === "Text" && /[{}]|^\$/.test(part.text))
    )
    const shellText = inShell.map((part) =>
      part._tag === "Text"
        ? part.text
        : part._tag === "Fallback"
          ? `\${${part.name}:-${part.fallback}}`
          : part._tag === "Variable"
            ? `\${${part.name}}`
            : ""
    )
    assert.deepStrictEqual(
      parts(shellText.join("")),
      Result.succeed(
        joined(
          inShell.flatMap((part) =>
            part._tag === "Fallback"
              ? [{ _tag: "Variable" as const, name: part.name, fallback: part.fallback }]
              : part._tag === "File"
                ? []
                : [part]
          )
        )
      )
    )
    const inBraces = written.filter(
      (part) => part._tag !== "Fallback" && !(part._tag === "Text" && /[{}]/.test(part.text))
    )
    const braceText = inBraces.map((part) =>
      part._tag === "Text"
        ? part.text
        : part._tag === "File"
          ? `{file:${part.path}}`
          : part._tag === "Variable"
            ? `{env:${part.name}}`
            : ""
    )
    assert.deepStrictEqual(
      braced(braceText.join("")),
      Result.succeed(joined(inBraces.flatMap((part) => (part._tag === "Fallback" ? [] : [part]))))
    )
  },
  { arbitrary: { runs: 1_000 } }
)

it.prop(
  "any text is read, its texts together with its marks are all of it, or it is refused in a sentence",
  { pieces: Schema.Array(Schema.Literals(["$", "{", "}", "${", "A", ":-", "{env:", "{file:", "-", " ", "é"])) },
  ({ pieces }) => {
    const source = pieces.join("")
    for (const read of [TemplateSyntax.shell, TemplateSyntax.braces]) {
      const template = read(source)
      if (Result.isFailure(template)) {
        assert.match(template.failure, /variable|file/)
        continue
      }
      const texts = template.success.parts.flatMap((part) => (part._tag === "Text" ? [part.text] : []))
      if (template.success.parts.length === texts.length) assert.strictEqual(texts.join(""), source)
      let position = 0
      for (const text of texts) {
        position = source.indexOf(text, position)
        assert.isAtLeast(position, 0)
        position += text.length
      }
    }
  },
  { arbitrary: { runs: 1_000 } }
)
