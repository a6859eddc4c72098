import { isDeepStrictEqual } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { DEPTH_LIMIT, type JsonValue, read } from "@letterhead/core/helper/JsonDocument"
import { corrupted, jsonText, parsed, seeded } from "./randomJson.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The value without what the reader drops: numbers and booleans keep their kind only. */
const shape = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shape)
  if (typeof value === "string") return value
  if (value === null) return { kind: "null" }
  if (typeof value !== "object") return { kind: typeof value }
  return new Map(Object.entries(value).map(([name, member]) => [name, shape(member)]))
}

const ownShape = (value: JsonValue): unknown => {
  switch (value._tag) {
    case "string":
      return value.text
    case "array":
      return value.items.map(ownShape)
    case "object":
      return new Map(value.members.map((member) => [member.name, ownShape(member.value)]))
    default:
      return { kind: value._tag }
  }
}

const sorted = (value: unknown): unknown =>
  value instanceof Map
    ? new Map([...value].toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)).map(([k, v]) => [k, sorted(v)]))
    : Array.isArray(value)
      ? value.map(sorted)
      : value

const agrees = (
  actual: ReturnType<typeof read>,
  expected: { readonly value: unknown } | undefined,
  input: Uint8Array,
  compare: boolean
): boolean => {
  if (Result.isFailure(actual)) {
    return expected === undefined && actual.failure.offset >= 0 && actual.failure.offset <= input.length
  }
  if (expected === undefined) return false
  return !compare || isDeepStrictEqual(sorted(ownShape(actual.success)), sorted(shape(expected.value)))
}

describe("JsonDocument", () => {
  it("accepts what JSON.parse accepts, refuses what it refuses, and reads the same, 20,000 times", () => {
    const random = seeded(1)
    const wrong: Array<string> = []
    let valid = 0
    for (let run = 0; run < 20_000; run++) {
      const written = bytes(jsonText(random, 4))
      const input = corrupted(random, written)
      const expected = parsed(input)
      const actual = read(input)
      if (expected !== undefined) valid++
      if (!agrees(actual, expected, input, Buffer.compare(input, written) === 0)) {
        wrong.push(new TextDecoder().decode(input))
      }
    }
    expect(wrong).toEqual([])
    expect(valid).toBeGreaterThan(5_000)
  })

  it("reads every escape, in names as in strings", () => {
    const value = Result.getOrThrow(read(bytes('{"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00":"\\u00e9\\""}')))
    expect(value).toMatchObject({ members: [{ name: '"\\/\b\f\n\r\tA😀', value: { text: 'é"' } }] })
  })

  it("keeps both of two members of one name", () => {
    const value = Result.getOrThrow(read(bytes('{"a":"1","a":"2"}')))
    expect(value._tag === "object" ? value.members.map((member) => member.offset) : []).toEqual([1, 9])
  })

  it("refuses nesting that would overflow a stack, at the level where it goes too far", () => {
    const deep = read(bytes("[".repeat(200_000)))
    expect(Result.isFailure(deep) ? deep.failure.offset : -1).toBe(DEPTH_LIMIT)
  })

  it.each([
    ["\ufeff{}", 0, "a byte order mark"],
    ["{} {}", 3, "more text after the end of the document"],
    ["log\n{}", 0, "text that is no JSON value"],
    ['{"a":', 5, "the end of the text"],
    ['{"a" "b"}', 5, "no colon after a name"],
    ['{"a":"b",}', 9, "something else than a quoted name or the end of the object"],
    ['{"a":"\\x"}', 6, "an escape that JSON does not know"],
    ['{"a":"\n"}', 6, "a control character within a string"]
  ])("says where %j stops being JSON", (text, offset, defect) => {
    const result = read(bytes(text))
    expect(Result.isFailure(result) ? result.failure : undefined).toEqual({ offset, defect })
  })

  it("says that a string is not UTF-8", () => {
    const result = read(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))
    expect(Result.isFailure(result) ? result.failure : undefined).toEqual({
      offset: 1,
      defect: "a string that is not UTF-8"
    })
  })
})
