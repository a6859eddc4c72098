/**
 * A strict reader of one JSON document in bytes, for text that somebody else wrote and that may hold secrets.
 *
 * `JSON.parse` hides duplicate names, quotes the text in its messages, and overflows the stack on deep nesting. This
 * reader accepts exactly what `JSON.parse` accepts of valid UTF-8 (property-tested), up to {@link DEPTH_LIMIT} levels;
 * it keeps every member of an object, in order and as an array, so that no name ever meets a prototype; and a defect is
 * a phrase and a byte offset, never content.
 */
import * as Result from "effect/Result"

export interface JsonString {
  readonly _tag: "string"
  readonly text: string
}

export interface JsonObject {
  readonly _tag: "object"
  readonly members: ReadonlyArray<JsonMember>
}

export interface JsonMember {
  readonly name: string
  /** Byte offset of the name's opening quote. */
  readonly offset: number
  readonly value: JsonValue
}

export interface JsonArray {
  readonly _tag: "array"
  readonly items: ReadonlyArray<JsonValue>
}

/** What no header is made of; only its kind is kept. */
export interface JsonOther {
  readonly _tag: "number" | "boolean" | "null"
}

export type JsonValue = JsonString | JsonObject | JsonArray | JsonOther

/** Where and why bytes stop being one JSON document. */
export interface JsonDefect {
  /** From 0 to the number of bytes. */
  readonly offset: number
  /** A phrase that never quotes the text. */
  readonly defect: string
}

/** Levels of objects and arrays within each other. */
export const DEPTH_LIMIT = 16

/** Reads one document; blanks around it are allowed, anything else is a defect. */
export const read = (bytes: Uint8Array): Result.Result<JsonValue, JsonDefect> => {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return Result.fail({ offset: 0, defect: "a byte order mark" })
  }
  const reader = new Reader(bytes)
  reader.skipBlanks()
  if (reader.position === bytes.length) return Result.fail({ offset: reader.position, defect: "nothing but blanks" })
  const value = reader.value(0)
  if (value === undefined) return Result.fail(reader.defect)
  reader.skipBlanks()
  return reader.position === bytes.length
    ? Result.succeed(value)
    : Result.fail({ offset: reader.position, defect: "more text after the end of the document" })
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const ESCAPES: ReadonlyMap<number, string> = new Map(
  Object.entries({ '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }).map(
    ([letter, text]) => [letter.charCodeAt(0), text]
  )
)

/** Reading stops at the first defect: a method answers `undefined` and `defect` says why. */
class Reader {
  position = 0
  defect: JsonDefect = { offset: 0, defect: "" }
  private readonly bytes: Uint8Array
  // A byte order mark within a string is a character like any other.
  private readonly decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  skipBlanks(): void {
    while (isBlank(this.bytes[this.position])) this.position++
  }

  value(depth: number): JsonValue | undefined {
    switch (this.bytes[this.position]) {
      case 0x7b:
        return this.object(depth)
      case 0x5b:
        return this.array(depth)
      case QUOTE: {
        const text = this.string()
        return text === undefined ? undefined : { _tag: "string", text }
      }
      case 0x74:
        return this.word("true", "boolean")
      case 0x66:
        return this.word("false", "boolean")
      case 0x6e:
        return this.word("null", "null")
      default:
        return this.number()
    }
  }

  private object(depth: number): JsonObject | undefined {
    if (depth >= DEPTH_LIMIT) return this.fail(`values nested more than ${DEPTH_LIMIT} deep`)
    const members: Array<JsonMember> = []
    this.position++
    this.skipBlanks()
    if (this.take(0x7d)) return { _tag: "object", members }
    for (;;) {
      const offset = this.position
      if (this.bytes[offset] !== QUOTE) return this.fail("something else than a quoted name or the end of the object")
      const name = this.string()
      if (name === undefined) return undefined
      this.skipBlanks()
      if (!this.take(0x3a)) return this.fail("no colon after a name")
      this.skipBlanks()
      const value = this.value(depth + 1)
      if (value === undefined) return undefined
      members.push({ name, offset, value })
      this.skipBlanks()
      if (this.take(0x7d)) return { _tag: "object", members }
      if (!this.take(0x2c)) return this.fail("no comma and no end of the object")
      this.skipBlanks()
    }
  }

  private array(depth: number): JsonArray | undefined {
    if (depth >= DEPTH_LIMIT) return this.fail(`values nested more than ${DEPTH_LIMIT} deep`)
    const items: Array<JsonValue> = []
    this.position++
    this.skipBlanks()
    if (this.take(0x5d)) return { _tag: "array", items }
    for (;;) {
      const value = this.value(depth + 1)
      if (value === undefined) return undefined
      items.push(value)
      this.skipBlanks()
      if (this.take(0x5d)) return { _tag: "array", items }
      if (!this.take(0x2c)) return this.fail("no comma and no end of the array")
      this.skipBlanks()
    }
  }

  private string(): string | undefined {
    const opening = this.position++
    let text = ""
    let start = this.position
    for (;;) {
      const byte = this.bytes[this.position]
      if (byte === undefined) return this.fail("the end of the text within a string")
      if (byte < 0x20) return this.fail("a control character within a string")
      if (byte !== QUOTE && byte !== BACKSLASH) {
        this.position++
        continue
      }
      const piece = this.decode(start, this.position)
      if (piece === undefined) {
        this.position = opening
        return this.fail("a string that is not UTF-8")
      }
      text += piece
      if (byte === QUOTE) {
        this.position++
        return text
      }
      const escaped = this.escape()
      if (escaped === undefined) return undefined
      text += escaped
      start = this.position
    }
  }

  private escape(): string | undefined {
    const letter = this.bytes[this.position + 1]
    if (letter === 0x75) {
      const digits = String.fromCharCode(...this.bytes.subarray(this.position + 2, this.position + 6))
      if (!/^[0-9A-Fa-f]{4}$/.test(digits)) return this.fail("an escape that JSON does not know")
      this.position += 6
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const text = letter === undefined ? undefined : ESCAPES.get(letter)
    if (text === undefined) return this.fail("an escape that JSON does not know")
    this.position += 2
    return text
  }

  private decode(start: number, end: number): string | undefined {
    try {
      return this.decoder.decode(this.bytes.subarray(start, end))
    } catch {
      return undefined
    }
  }

  private word(word: string, tag: JsonOther["_tag"]): JsonOther | undefined {
    for (let index = 0; index < word.length; index++) {
      if (this.bytes[this.position + index] !== word.charCodeAt(index)) return this.fail(NO_VALUE)
    }
    this.position += word.length
    return { _tag: tag }
  }

  private number(): JsonOther | undefined {
    let end = this.position
    while (isNumberByte(this.bytes[end])) end++
    NUMBER.lastIndex = 0
    const match = NUMBER.exec(asciiText(this.bytes.subarray(this.position, end)))
    if (match === null) return this.fail(NO_VALUE)
    this.position += match[0].length
    return { _tag: "number" }
  }

  private take(byte: number): boolean {
    if (this.bytes[this.position] !== byte) return false
    this.position++
    return true
  }

  private fail(defect: string): undefined {
    this.defect = { offset: this.position, defect: this.position >= this.bytes.length ? "the end of the text" : defect }
    return undefined
  }
}

const NO_VALUE = "text that is no JSON value"

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** Digits, sign, point and exponent. */
const isNumberByte = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e || (byte | 0x20) === 0x65)

const asciiText = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
