/**
 * What a helper printed, read as the contract says.
 *
 * Exactly one JSON object in UTF-8, of at most {@link OUTPUT_LIMIT} bytes, in one of two forms: `{"Name": "value"}`, as
 * Claude Code and OpenCode have it, or `{"headers": {"Name": ["value"]}, "expires": "RFC 3339"}`, as Bazel's credential
 * helpers print it. An object whose `headers` is an object is the second form. As that form's specification asks, other
 * members are ignored there, and an empty list means that the field is not sent; two values for one name are refused,
 * since joining them would change what either says.
 *
 * Values are checked and rejected, never coerced or trimmed; names that differ only in case are an error. What is wrong
 * is said by rule, field name and byte offset; nothing else of the output is ever repeated.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import {
  HeaderForbidden,
  HeaderTooLarge,
  OutputEmpty,
  OutputInvalid,
  OutputNotJson,
  OutputTooLarge
} from "../headers/HeaderError.ts"
import {
  FIELD_COUNT_LIMIT,
  foldName,
  isProtocolOwned,
  NAME_LIMIT,
  nameDefect,
  TOTAL_LIMIT,
  VALUE_LIMIT,
  valueDefect
} from "../headers/HeaderField.ts"
import * as JsonDocument from "./JsonDocument.ts"
import * as Timestamp from "./Timestamp.ts"

export interface HelperOutput {
  /** In the order the helper printed them; names are checked, values are valid field values. */
  readonly headers: ReadonlyArray<readonly [name: string, value: Redacted.Redacted]>
  /** Epoch milliseconds, where the helper named a time; at most {@link LIFETIME_LIMIT} from when it was read. */
  readonly expires?: number
  /** True where `expires` had already passed: use once, warn, do not keep. */
  readonly expired: boolean
}

export type OutputReason =
  | OutputEmpty
  | OutputTooLarge
  | OutputNotJson
  | OutputInvalid
  | HeaderForbidden
  | HeaderTooLarge

/** Bytes of standard output. */
export const OUTPUT_LIMIT = 64 * 1024

/** Milliseconds that an output is used at most, whatever `expires` says: 24 hours. */
export const LIFETIME_LIMIT = 24 * 60 * 60 * 1_000

/** Reads standard output. `now` is in epoch milliseconds. */
export const parse = (bytes: Uint8Array, now: number): Result.Result<HelperOutput, OutputReason> => {
  if (bytes.length > OUTPUT_LIMIT) return Result.fail(new OutputTooLarge({ bytes: OUTPUT_LIMIT }))
  if (bytes.every(isBlank)) return Result.fail(new OutputEmpty({ withheld: [] }))
  return Result.flatMap(
    Result.mapError(JsonDocument.read(bytes), (defect) => new OutputNotJson(defect)),
    (value): Result.Result<HelperOutput, OutputReason> => {
      if (value._tag !== "object") return invalid(`one JSON object is expected, not ${described(value)}`)
      const twice = duplicate(value.members)
      if (twice !== undefined) return Result.fail(twice)
      const headers = value.members.find((member) => member.name === "headers")?.value
      return headers?._tag === "object" ? structured(value, headers, now) : flat(value)
    }
  )
}

const flat = (object: JsonDocument.JsonObject): Result.Result<HelperOutput, OutputReason> => {
  if (object.members.some((member) => member.name === "expires")) {
    return invalid('it belongs beside "headers": {…}; as a member of its own it would be sent as a header', "expires")
  }
  return Result.map(
    fields(object.members, (value) => (value._tag === "string" ? value.text : undefined), "a value is a string"),
    (headers) => ({ headers, expired: false })
  )
}

const structured = (
  object: JsonDocument.JsonObject,
  headers: JsonDocument.JsonObject,
  now: number
): Result.Result<HelperOutput, OutputReason> => {
  const twice = duplicate(headers.members)
  if (twice !== undefined) return Result.fail(twice)
  const present = headers.members.filter((member) => member.value._tag !== "array" || member.value.items.length > 0)
  const read = fields(present, onlyItem, 'within "headers", a value is a list of one string')
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const written = object.members.find((member) => member.name === "expires")?.value
  if (written === undefined) return Result.succeed({ headers: read.success, expired: false })
  const expires = written._tag === "string" ? Timestamp.parse(written.text) : undefined
  if (expires === undefined)
    return invalid("a time as in RFC 3339 is expected, such as 2030-01-31T12:00:00Z", "expires")
  return Result.succeed({
    headers: read.success,
    expires: Math.min(expires, now + LIFETIME_LIMIT),
    expired: expires <= now
  })
}

const fields = (
  members: ReadonlyArray<JsonDocument.JsonMember>,
  textOf: (value: JsonDocument.JsonValue) => string | undefined,
  shape: string
): Result.Result<HelperOutput["headers"], OutputReason> => {
  if (members.length > FIELD_COUNT_LIMIT) {
    return Result.fail(new HeaderTooLarge({ rule: `the helper printed more than ${FIELD_COUNT_LIMIT} headers` }))
  }
  let total = 0
  const headers: Array<readonly [string, Redacted.Redacted]> = []
  for (const { name, offset, value } of members) {
    if (name.length > NAME_LIMIT) {
      return Result.fail(new HeaderTooLarge({ rule: `the name at byte ${offset}: ${nameDefect(name) ?? ""}` }))
    }
    // A broken name may be a value in the wrong place, so it is pointed at and not repeated.
    const badName = nameDefect(name)
    if (badName !== undefined) return invalid(`the name at byte ${offset}: ${badName}`)
    if (isProtocolOwned(name)) return Result.fail(new HeaderForbidden({ field: name }))
    const text = textOf(value)
    if (text === undefined) return invalid(`${shape}, not ${described(value)}`, name)
    if (text.length > VALUE_LIMIT) {
      return Result.fail(new HeaderTooLarge({ field: name, rule: `a value has at most ${VALUE_LIMIT} bytes` }))
    }
    const badValue = valueDefect(text)
    if (badValue !== undefined) return invalid(badValue, name)
    total += name.length + text.length
    if (total > TOTAL_LIMIT) {
      return Result.fail(
        new HeaderTooLarge({ rule: `the helper printed more than ${TOTAL_LIMIT} bytes of header names and values` })
      )
    }
    headers.push([name, Redacted.make(text, { label: name })])
  }
  return Result.succeed(headers)
}

const onlyItem = (value: JsonDocument.JsonValue): string | undefined => {
  const item = value._tag === "array" && value.items.length === 1 ? value.items[0] : undefined
  return item?._tag === "string" ? item.text : undefined
}

const duplicate = (members: ReadonlyArray<JsonDocument.JsonMember>): OutputInvalid | undefined => {
  const seen = new Set<string>()
  for (const { name, offset } of members) {
    const folded = foldName(name)
    if (seen.has(folded)) {
      const rule = `the name at byte ${offset} appears twice; names that differ only in case are the same`
      return new OutputInvalid(nameDefect(name) === undefined ? { field: name, rule } : { rule })
    }
    seen.add(folded)
  }
  return undefined
}

const invalid = (rule: string, field?: string): Result.Result<never, OutputInvalid> =>
  Result.fail(new OutputInvalid(field === undefined ? { rule } : { field, rule }))

const described = (value: JsonDocument.JsonValue): string => {
  switch (value._tag) {
    case "null":
      return "null"
    case "array":
      return value.items.length === 1 ? "a list" : `a list of ${value.items.length}`
    case "object":
      return "an object"
    default:
      return `a ${value._tag}`
  }
}

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
