/** Names and values against a statement of RFC 9110 that shares no code with the module. */
import { assert, describe, it } from "@effect/vitest"
import {
  foldName,
  isForwardedOnly,
  isProtocolOwned,
  NAME_LIMIT,
  nameDefect,
  VALUE_LIMIT,
  valueDefect
} from "@letterhead/core/headers/HeaderField"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const

/** RFC 9110 section 5.6.2: tchar. */
const isTokenCharacter = (character: string): boolean => {
  const code = character.charCodeAt(0)
  const digit = code >= 48 && code <= 57
  const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
  return digit || letter || "!#$%&'*+-.^_`|~".split("").includes(character)
}

/** RFC 9110 section 5.5 without obs-text: VCHAR, SP and HTAB. */
const isFieldCharacter = (character: string): boolean => {
  const code = character.charCodeAt(0)
  return code === 9 || (code >= 32 && code <= 126)
}
const isBlank = (character: string | undefined): boolean => character === " " || character === "\t"

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
const TOKENS = ASCII.filter(isTokenCharacter)
const VISIBLE = ASCII.filter(isFieldCharacter)
const HOSTILE = ["\r", "\n", "\0", "\u007f", "\u0085", " ", "\t", ":", "é", "\u2028", "😀", "\ud800", '"', "(", "/"]

const joined = (characters: ReadonlyArray<string>) => characters.join("")
const anyOf = (characters: ReadonlyArray<string>) => Schema.Array(Schema.Literals(characters))
const text = Schema.Union([anyOf(TOKENS), anyOf(VISIBLE), anyOf([...VISIBLE, ...HOSTILE]), Schema.Array(Schema.String)])

describe("nameDefect", () => {
  it.prop(
    "a name is accepted exactly where it is a token of RFC 9110",
    { text },
    ({ text }) => {
      const name = joined(text)
      const valid = name.length >= 1 && name.length <= 256 && name.split("").every(isTokenCharacter)
      assert.strictEqual(nameDefect(name) === undefined, valid, JSON.stringify(name))
    },
    RUNS
  )

  it("of all 65,536 characters those of a token are accepted", () => {
    for (let code = 0; code <= 0xffff; code++) {
      const character = String.fromCharCode(code)
      assert.strictEqual(nameDefect(character) === undefined, isTokenCharacter(character), `U+${code.toString(16)}`)
      assert.strictEqual(nameDefect(`a${character}b`) === undefined, isTokenCharacter(character))
    }
  })

  it("a name has at most 256 bytes", () => {
    assert.isUndefined(nameDefect("a".repeat(NAME_LIMIT)))
    assert.isString(nameDefect("a".repeat(NAME_LIMIT + 1)))
    assert.strictEqual(NAME_LIMIT, 256)
  })
})

describe("valueDefect", () => {
  it.prop(
    "a value is accepted exactly where it is visible ASCII, space and tab without blanks around it",
    { text },
    ({ text }) => {
      const value = joined(text)
      const valid =
        value.length >= 1 &&
        value.length <= 8_192 &&
        value.split("").every(isFieldCharacter) &&
        !isBlank(value[0]) &&
        !isBlank(value.at(-1))
      assert.strictEqual(valueDefect(value) === undefined, valid, JSON.stringify(value))
    },
    RUNS
  )

  it("F15: of all 65,536 characters visible ASCII, space and tab are accepted within a value", () => {
    for (let code = 0; code <= 0xffff; code++) {
      const character = String.fromCharCode(code)
      assert.strictEqual(
        valueDefect(`a${character}b`) === undefined,
        isFieldCharacter(character),
        `U+${code.toString(16)}`
      )
      assert.strictEqual(valueDefect(character) === undefined, isFieldCharacter(character) && !isBlank(character))
    }
  })

  it("a value has at most 8,192 bytes", () => {
    assert.isUndefined(valueDefect("a".repeat(VALUE_LIMIT)))
    assert.isString(valueDefect("a".repeat(VALUE_LIMIT + 1)))
    assert.strictEqual(VALUE_LIMIT, 8_192)
  })

  it.prop(
    "F50: a rule never quotes the value",
    { text },
    ({ text }) => {
      for (const value of [` canary-${joined(text)}`, `canary-${joined(text)}\r\n`, `canary-${joined(text)} `]) {
        assert.notInclude(valueDefect(value) ?? "", "canary")
      }
    },
    RUNS
  )
})

describe("isProtocolOwned", () => {
  /** Design rule 2, written out. */
  const owned = [
    "Host",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Length",
    "Content-Type",
    "Accept",
    "Last-Event-ID",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Origin",
    "Sec-Fetch-Site",
    "Set-Cookie",
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Param-Region"
  ] as const

  it.prop(
    "F16: a name is owned however it is written",
    { name: Schema.Literals(owned), upper: Schema.Array(Schema.Boolean) },
    ({ name, upper }) => {
      const written = name
        .split("")
        .map((character, index) =>
          upper[index % (upper.length + 1)] ? character.toUpperCase() : character.toLowerCase()
        )
        .join("")
      assert.isTrue(isProtocolOwned(written), written)
    },
    RUNS
  )

  it("of all owned names Proxy-Authorization alone may be forwarded, and it is owned for all other purposes", () => {
    assert.deepStrictEqual(owned.filter(isForwardedOnly), ["Proxy-Authorization"])
    assert.isTrue(isForwardedOnly("PROXY-authorization"))
    assert.isFalse(isForwardedOnly("Authorization"))
  })

  it("names that only resemble owned ones are free", () => {
    for (const name of [
      "Authorization",
      "Cookie",
      "X-Api-Key",
      "Hosts",
      "McpSession",
      "X-Mcp-Auth",
      "Section",
      "X-Forwarded"
    ]) {
      assert.isFalse(isProtocolOwned(name), name)
    }
  })
})

describe("foldName", () => {
  it.prop(
    "names compare without regard to case, and to nothing else",
    { a: anyOf(TOKENS), b: anyOf(TOKENS) },
    ({ a, b }) => {
      const [one, two] = [joined(a), joined(b)]
      assert.strictEqual(foldName(one.toUpperCase()), foldName(one.toLowerCase()))
      assert.strictEqual(foldName(one) === foldName(two), one.toUpperCase() === two.toUpperCase())
      assert.strictEqual(foldName(foldName(one)), foldName(one))
    },
    RUNS
  )
})
