import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { isProtocolOwned, nameDefect, valueDefect } from "@letterhead/core/headers/HeaderField"
import {
  type HelperOutput,
  LIFETIME_LIMIT,
  OUTPUT_LIMIT,
  type OutputReason,
  parse
} from "@letterhead/core/helper/HelperOutput"
import { corrupted, jsonText, parsed, seeded } from "./randomJson.ts"

const NOW = Date.UTC(2030, 0, 1)
const CANARY = "canary-7f3a9c"

const read = (text: string | Uint8Array): Result.Result<HelperOutput, OutputReason> =>
  parse(typeof text === "string" ? new TextEncoder().encode(text) : text, NOW)

const plain = (text: string): ReadonlyArray<readonly [string, string]> =>
  Result.getOrThrow(read(text)).headers.map(([name, value]) => [name, Redacted.value(value)])

/** The reason why `text` is refused, which never shows the canary. */
const reason = (text: string | Uint8Array): OutputReason => {
  const result = read(text)
  if (Result.isSuccess(result)) throw new Error("accepted")
  expect(`${result.failure.message} ${JSON.stringify(result.failure)} ${String(result.failure.stack)}`).not.toContain(
    CANARY
  )
  return result.failure
}

const VALUE_LETTERS = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))

const withExpiry = (expires: string): string => `{"headers":{"A":["b"]},"expires":${expires}}`

describe("HelperOutput", () => {
  it("reads Claude Code's and OpenCode's form", () =>
    expect(plain('{"Authorization":"Bearer t","X-Api-Key":"k"}\n')).toEqual([
      ["Authorization", "Bearer t"],
      ["X-Api-Key", "k"]
    ]))

  it("reads a Bazel credential helper's form, members that it does not know included", () => {
    const text = '{"headers":{"Authorization":["Bearer t"],"X-None":[]},"expires":"2030-01-01T01:00:00Z","note":[1]}'
    expect(plain(text)).toEqual([["Authorization", "Bearer t"]])
    expect(Result.getOrThrow(read(text))).toMatchObject({ expires: NOW + 3_600_000, expired: false })
  })

  it("reads an object without headers as no headers", () => {
    expect(plain("{}")).toEqual([])
    expect(plain('{"headers":{}}')).toEqual([])
  })

  it("takes a header named headers where its value is a string", () =>
    expect(plain('{"headers":"x"}')).toEqual([["headers", "x"]]))

  it("gives back every valid set of fields in both forms, 2,000 times", () => {
    const random = seeded(3)
    for (let run = 0; run < 2_000; run++) {
      const fields = new Map<string, readonly [string, string]>()
      for (let count = Math.floor(random() * 6); count > 0; count--) {
        const name = `X-${Math.floor(random() * 1e9).toString(36)}`
        const value = Array.from(
          { length: 1 + Math.floor(random() * 40) },
          () => VALUE_LETTERS[Math.floor(random() * VALUE_LETTERS.length)]!
        ).join("")
        if (nameDefect(name) === undefined && valueDefect(value) === undefined && !isProtocolOwned(name)) {
          fields.set(name.toLowerCase(), [name, value])
        }
      }
      const list = [...fields.values()]
      expect(plain(JSON.stringify(Object.fromEntries(list)))).toEqual(list)
      expect(
        plain(JSON.stringify({ headers: Object.fromEntries(list.map(([name, value]) => [name, [value]])) }))
      ).toEqual(list)
    }
  })

  it("never throws on any bytes, accepts nothing that JSON.parse refuses, and points within the text, 20,000 times", () => {
    const random = seeded(5)
    const wrong: Array<string> = []
    for (let run = 0; run < 20_000; run++) {
      const start = random() < 0.2 ? "" : jsonText(random, 3)
      const noise = Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256))
      const input = start === "" ? noise : corrupted(random, new TextEncoder().encode(start))
      const result = read(input)
      const json = parsed(input) !== undefined
      const notJson = Result.isFailure(result) && result.failure._tag === "OutputNotJson" ? result.failure : undefined
      const right =
        notJson === undefined
          ? json || Result.isFailure(result)
          : !json && notJson.offset >= 0 && notJson.offset <= input.length
      if (!right) wrong.push(Buffer.from(input).toString("hex"))
    }
    expect(wrong).toEqual([])
  })

  it.each(["", " \n\t\r\n"])("F9: %j is nothing", (text) => expect(reason(text)._tag).toBe("OutputEmpty"))

  it.each([
    [`${CANARY} loading\n{"A":"b"}`, 0],
    [`{"A":"b"} ${CANARY}`, 10],
    [`\ufeff{"A":"${CANARY}"}`, 0],
    [`{"A":"b"}{"A":"${CANARY}"}`, 9],
    [`{"A":"${CANARY}`, 5 + CANARY.length + 1],
    [`{'A':'${CANARY}'}`, 1]
  ])("F10: what is not one JSON document is refused at its byte, without its content (case %#)", (text, offset) =>
    expect(reason(text)).toMatchObject({ _tag: "OutputNotJson", offset })
  )

  it.each([`["${CANARY}"]`, `"${CANARY}"`, "null", "12", "true"])("F11: %.4s… is no object", (text) =>
    expect(reason(text)._tag).toBe("OutputInvalid")
  )

  it.each([
    '{"A":null}',
    '{"A":1}',
    '{"A":true}',
    `{"A":{"b":"${CANARY}"}}`,
    `{"A":["${CANARY}"]}`,
    `{"headers":{"A":"${CANARY}"}}`,
    `{"headers":{"A":["${CANARY}",1]}}`,
    '{"headers":{"A":[null]}}'
  ])("F12: a value that is no string is refused, never coerced: %s", (text) =>
    expect(reason(text)).toMatchObject({ _tag: "OutputInvalid", field: "A" })
  )

  it.each([
    `{"A":"${CANARY}","A":"c"}`,
    `{"Authorization":"${CANARY}","authorization":"c"}`,
    `{"headers":{"x":["${CANARY}"],"X":["c"]}}`,
    `{"headers":{"x":["${CANARY}"]},"headers":{}}`,
    `{"headers":{"x":["${CANARY}","b"]}}`
  ])("F13: a name that appears twice, in any case, is refused (case %#)", (text) =>
    expect(reason(text)._tag).toBe("OutputInvalid")
  )

  it("F14: names that objects have by nature are names like any other and touch no prototype", () => {
    const text = '{"__proto__":"a","constructor":"b","toString":"c"}'
    expect(plain(text).map(([name]) => name)).toEqual(["__proto__", "constructor", "toString"])
    expect(reason('{"__proto__":{"polluted":"x"}}')._tag).toBe("OutputInvalid")
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false)
  })

  it("F14: very many names, very much text and very deep text are refused by limits", () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `"h${index}":"x"`).join(",")
    expect(reason(`{${names}}`)._tag).toBe("HeaderTooLarge")
    expect(reason(`{"A":"${"x".repeat(4_000_000)}"}`)).toMatchObject({ _tag: "OutputTooLarge", bytes: OUTPUT_LIMIT })
    expect(reason(`{"A":${"[".repeat(60_000)}`)._tag).toBe("OutputNotJson")
  })

  it.each([
    ["a\\rb"],
    ["a\\nb"],
    ["a\\u0000b"],
    ["a\\u0007b"],
    ["a\\u007fb"],
    ["é"],
    ["\\ud800"],
    [" a"],
    ["a "],
    ["a\\t"],
    [""]
  ])('F15: the value "%s" is refused, not mended', (value) => {
    const text = value === "" ? '{"X-A":""}' : `{"X-A":"${CANARY}","X-B":"${value}"}`
    expect(reason(text)).toMatchObject({ _tag: "OutputInvalid", field: value === "" ? "X-A" : "X-B" })
  })

  it("F15: a broken name is pointed at and not repeated", () =>
    expect(reason(`{"Bearer ${CANARY}":"x"}`)).toMatchObject({
      _tag: "OutputInvalid",
      rule: expect.stringContaining("byte 1")
    }))

  it.each([
    "Host",
    "TE",
    "Mcp-Session-Id",
    "content-length",
    "X-Forwarded-For",
    "Proxy-Authorization",
    "Sec-Fetch-Mode"
  ])("F16: %s belongs to the protocol", (name) =>
    expect(reason(`{"${name}":"${CANARY}"}`)).toMatchObject({ _tag: "HeaderForbidden", field: name })
  )

  it.each([
    [`{"${"n".repeat(257)}":"x"}`],
    [`{"A":"${"v".repeat(8_193)}"}`],
    [`{"A":"${"v".repeat(8_000)}","B":"${"v".repeat(8_000)}"}`],
    [`{${Array.from({ length: 65 }, (_, index) => `"h${index}":"x"`).join(",")}}`]
  ])("F17: too long a name, value, total or list is refused (case %#)", (text) =>
    expect(reason(text)._tag).toBe("HeaderTooLarge")
  )

  it("F17: the limits themselves are allowed", () => {
    expect(plain(`{"${"n".repeat(256)}":"${"v".repeat(8_192)}"}`)).toHaveLength(1)
    expect(plain(`{${Array.from({ length: 64 }, (_, index) => `"h${index}":"x"`).join(",")}}`)).toHaveLength(64)
  })

  it("F23: an expiry in the past is kept as such, one in ten years is cut to a day, another form is refused", () => {
    expect(Result.getOrThrow(read(withExpiry('"2029-12-31T23:59:59Z"')))).toMatchObject({
      expired: true,
      expires: NOW - 1_000
    })
    expect(Result.getOrThrow(read(withExpiry('"2040-01-01T00:00:00Z"')))).toMatchObject({
      expired: false,
      expires: NOW + LIFETIME_LIMIT
    })
    for (const text of ['"tomorrow"', "1893456000", "null", '""', '"2030-01-01"', `"${CANARY}"`]) {
      expect(reason(withExpiry(text))).toMatchObject({ _tag: "OutputInvalid", field: "expires" })
    }
    expect(reason('{"A":"b","expires":"2040-01-01T00:00:00Z"}')).toMatchObject({
      _tag: "OutputInvalid",
      field: "expires"
    })
  })

  it("F50: a value is redacted in what is printed of an output", () => {
    const output = Result.getOrThrow(read(`{"Authorization":"Bearer ${CANARY}"}`))
    expect(`${JSON.stringify(output)} ${inspect(output, { depth: 9 })}`).not.toContain(CANARY)
  })
})
