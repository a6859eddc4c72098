import { assert, describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describeFields, fieldsOf, fromJson, fromWords, signature } from "../../src/cli/ToolArguments.ts"

const schema = {
  type: "object",
  properties: {
    title: { type: "string", description: "What it is called\nmore" },
    count: { type: "integer" },
    ratio: { type: ["number", "string"] },
    tags: { type: "array" },
    open: { type: "boolean" },
    kind: { type: "string", enum: ["bug", "task"] },
    any: {}
  },
  required: ["title"]
}

const succeeds = (words: ReadonlyArray<string>) => Result.getOrThrow(fromWords(words, schema))
const fails = (words: ReadonlyArray<string>) => Result.getOrThrow(Result.flip(fromWords(words, schema)))

const Piece = Schema.Literals([
  "title",
  "count",
  "any",
  "=",
  '"',
  "{",
  "}",
  "1",
  "true",
  "null",
  "__proto__",
  " ",
  "\\",
  "é"
])

describe("ToolArguments", () => {
  it.prop(
    "makes of any words arguments or one sentence, and of any value what was written",
    { words: Schema.Array(Schema.Array(Piece)), value: Schema.Array(Piece), json: Schema.Json },
    ({ json, value, words }) => {
      const result = fromWords(
        words.map((pieces) => pieces.join("")),
        schema
      )
      if (Result.isFailure(result)) assert.isNotEmpty(result.failure)
      assert.isTrue(Result.isFailure(fromJson(words.map((pieces) => pieces.join("")).join(","), schema)))
      assert.deepStrictEqual(succeeds([`title=${value.join("")}`]), { title: value.join("") })
      // Numbers come back as JSON has them.
      const text = JSON.stringify(json)
      assert.deepStrictEqual(succeeds(["title=x", `any=${text}`]), { title: "x", any: JSON.parse(text) as unknown })
    },
    { arbitrary: { runs: 1_000 } }
  )

  it("takes a value as text where the schema says string, whatever it looks like", () => {
    for (const value of ["1", "true", "null", "{}", "[1]", '"quoted"', "", "a=b", " blank "]) {
      expect(succeeds([`title=${value}`])).toEqual({ title: value })
    }
  })

  it("takes a value as JSON where the schema says anything else", () => {
    expect(succeeds(["title=x", "count=3", "tags=[1,2]", "open=true", 'any={"a":1}'])).toEqual({
      title: "x",
      count: 3,
      tags: [1, 2],
      open: true,
      any: { a: 1 }
    })
    expect(succeeds(["title=x", "any=plain words"])).toEqual({ title: "x", any: "plain words" })
  })

  it("takes JSON before text where the schema allows both, and text where no other type fits", () => {
    expect(succeeds(["title=x", "ratio=0.5"])).toEqual({ title: "x", ratio: 0.5 })
    expect(succeeds(["title=x", "ratio=half"])).toEqual({ title: "x", ratio: "half" })
    expect(succeeds(["title=x", "ratio=true"])).toEqual({ title: "x", ratio: "true" })
  })

  it("names what is unknown, missing, doubled, of another type or none of the choices", () => {
    expect(fails(["title=x", "nope=1"])).toBe('it has no argument "nope"')
    expect(fails(["count=1"])).toBe('it needs "title"')
    expect(fails(["title=x", "title=y"])).toBe('"title" is given twice')
    expect(fails(["title=x", "count=1.5"])).toBe('"count" must be integer')
    expect(fails(["title=x", "kind=story"])).toBe('"kind" must be one of "bug", "task"')
    expect(fails(["title"])).toBe('"title" is not key=value')
    expect(fails(["=x"])).toBe('"=x" is not key=value')
  })

  it("lets unknown names pass where the schema does", () => {
    expect(Result.getOrThrow(fromWords(["a=1"], { ...schema, required: [], additionalProperties: true }))).toEqual({
      a: 1
    })
    expect(Result.getOrThrow(fromWords(["a=1"], { type: "object" }))).toEqual({ a: 1 })
    expect(Result.isFailure(fromWords(["a=1"], { type: "object", properties: {} }))).toBe(true)
    expect(Result.getOrThrow(fromWords(["a=1"], { anyOf: [{ properties: { a: {} } }] }))).toEqual({ a: 1 })
  })

  it("holds a JSON object against the same schema, and quotes nothing that is no JSON", () => {
    expect(Result.getOrThrow(fromJson('{"title":"x","count":2}', schema))).toEqual({ title: "x", count: 2 })
    for (const [json, says] of [
      ["{secret", "--args is not JSON"],
      ["[1]", "--args is not a JSON object"],
      ["3", "--args is not a JSON object"],
      ['{"title":3}', '"title" must be string']
    ] as const) {
      expect(Result.getOrThrow(Result.flip(fromJson(json, schema)))).toBe(says)
    }
  })

  it("never sets a prototype", () => {
    const args = Result.getOrThrow(
      fromJson('{"__proto__":{"x":1},"title":"t"}', { ...schema, additionalProperties: true })
    )
    expect(Object.getPrototypeOf(args)).toBe(Object.prototype)
    expect(Object.keys(args)).toContain("__proto__")
    const words = Result.getOrThrow(
      fromWords(['__proto__={"x":1}', "title=t"], { ...schema, additionalProperties: true })
    )
    expect(Object.getPrototypeOf(words)).toBe(Object.prototype)
  })

  it("describes the fields of a schema", () => {
    expect(signature(fieldsOf(schema))).toBe("title [count] [ratio] [tags] [open] [kind] [any]")
    expect(describeFields(schema).split("\n")).toContain("  title (string, required): What it is called")
    expect(describeFields(schema).split("\n")).toContain('  kind ("bug" | "task")')
    expect(describeFields({ type: "object", properties: {} })).toBe("it takes no arguments")
    expect(describeFields({ type: "object" })).toBe("it takes any arguments")
    expect(fieldsOf(undefined)).toEqual([])
    expect(fieldsOf({ properties: null })).toEqual([])
  })
})
