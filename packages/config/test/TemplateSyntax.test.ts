import { expect, it } from "@effect/vitest"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
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
