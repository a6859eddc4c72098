import { expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { formatPath, position, showKey } from "../src/Document.ts"
import * as DocumentReader from "../src/DocumentReader.ts"
import * as JsonDocument from "../src/JsonDocument.ts"

it("lines and columns count from 1, in UTF-16 units, with either line break", () => {
  expect(position("ab", 0)).toEqual({ line: 1, column: 1 })
  expect(position("a\nbc", 3)).toEqual({ line: 2, column: 2 })
  expect(position("a\r\nbc", 3)).toEqual({ line: 2, column: 1 })
  expect(position("\n\n", 2)).toEqual({ line: 3, column: 1 })
  expect(position("😀x", 2)).toEqual({ line: 1, column: 3 })
  expect(position("ab", 99)).toEqual({ line: 1, column: 3 })
})

it("a path is written with dots, and with brackets where a key is no plain word", () => {
  expect(formatPath(["mcpServers", "linear", "headers", "X-Api-Key"])).toBe("mcpServers.linear.headers.X-Api-Key")
  expect(formatPath(["hooks", 0])).toBe("hooks[0]")
  expect(formatPath(["projects", "/home/a", "mcpServers"])).toBe('projects["/home/a"].mcpServers')
})

it("a key in a message cannot disturb a terminal and has a bounded length", () => {
  expect(showKey("a\u001b[31m\u009b\u202e")).toBe(String.raw`"a\u001b[31m\u009b\u202e"`)
  expect(showKey("k".repeat(1_000)).length).toBeLessThan(100)
})

it("the place of something missing is that of the innermost thing around it", () => {
  const document = Result.getOrThrow(JsonDocument.parse("/f.json", `{\n  "a": {\n    "b": 1 } }`))
  expect(document.place(["a", "b"])).toEqual({ file: "/f.json", line: 3, column: 10, path: "a.b" })
  expect(document.place(["a", "b"], "key")).toEqual({ file: "/f.json", line: 3, column: 5, path: "a.b" })
  expect(document.place(["a", "c"])).toEqual({ file: "/f.json", line: 2, column: 8, path: "a.c" })
})

it("F14: a key named __proto__ is a key like any other, and no prototype is touched", () => {
  const document = Result.getOrThrow(JsonDocument.parse("/f.json", `{ "__proto__": { "polluted": true } }`))
  expect(document.keys([])).toEqual(["__proto__"])
  expect(Object.keys(Object(document.value([])))).toEqual(["__proto__"])
  expect(Reflect.get({}, "polluted")).toBeUndefined()
})

it("values from code that contain themselves are refused and not followed", () => {
  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  const read = DocumentReader.fromValue("program", cyclic)
  expect(Result.isFailure(read) && read.failure.message).toBe(
    "program: nested deeper than 64 levels; make the document flatter"
  )
})
