/**
 * The arguments of a tool, from `key=value` words or a JSON object, held against the tool's input schema before
 * anything is sent.
 *
 * A value is text where the schema says so; otherwise it is JSON where it parses, and text where it does not. Only
 * what a person gets wrong at a prompt is checked (names, missing fields, plain types); the server has the last word.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { printableLine } from "./Printable.ts"

/** One field of an input schema. */
export interface Field {
  readonly name: string
  readonly required: boolean
  /** The JSON types it takes; empty where the schema names none. */
  readonly types: ReadonlyArray<string>
  /** The only values it takes, where they are listed. */
  readonly choices: ReadonlyArray<unknown>
  readonly description: string | undefined
}

export type Arguments = Readonly<Record<string, unknown>>

/** The fields at the top of an input schema, in its order. */
export const fieldsOf = (schema: unknown): ReadonlyArray<Field> => {
  const properties = member(schema, "properties")
  const required = listOf(member(schema, "required"))
  if (!Predicate.isObject(properties)) return []
  return Object.entries(properties).map(([name, property]) => ({
    name,
    required: required.includes(name),
    types: typesOf(property),
    choices: listOf(member(property, "enum")),
    description: text(member(property, "description"))
  }))
}

/** `a b=number [c]`, for a list. */
export const signature = (fields: ReadonlyArray<Field>): string =>
  fields
    .toSorted((a, b) => Number(b.required) - Number(a.required))
    .map((field) => (field.required ? field.name : `[${field.name}]`))
    .map(printableLine)
    .join(" ")

/** The fields, a line each. */
export const describeFields = (schema: unknown): string => {
  const fields = fieldsOf(schema)
  return fields.length === 0
    ? takesMore(schema)
      ? "it takes any arguments"
      : "it takes no arguments"
    : [
        "it takes:",
        ...fields.map((field) =>
          printableLine(
            [
              `  ${field.name}`,
              notes(field),
              field.description === undefined ? "" : `: ${field.description.trim().split("\n", 1)[0]}`
            ].join("")
          )
        )
      ].join("\n")
}

/** What it takes and whether it must be given: ` (number, required)`. */
const notes = (field: Field): string => {
  const takes = field.choices.length > 0 ? field.choices.map((choice) => JSON.stringify(choice)) : field.types
  const parts = [...(takes.length > 0 ? [takes.join(" | ")] : []), ...(field.required ? ["required"] : [])]
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

/** The arguments that `key=value` words make; fails with what is wrong, in one sentence. */
export const fromWords = (words: ReadonlyArray<string>, schema: unknown): Result.Result<Arguments, string> => {
  const fields = new Map(fieldsOf(schema).map((field) => [field.name, field]))
  const values = new Map<string, unknown>()
  for (const word of words) {
    const separator = word.indexOf("=")
    if (separator < 1) return Result.fail(`"${word}" is not key=value`)
    const name = word.slice(0, separator)
    if (values.has(name)) return Result.fail(`"${name}" is given twice`)
    values.set(name, read(word.slice(separator + 1), fields.get(name)?.types ?? []))
  }
  return check(Object.fromEntries(values), schema)
}

/** The arguments that a JSON text makes; fails with what is wrong, in one sentence that does not quote it. */
export const fromJson = (json: string, schema: unknown): Result.Result<Arguments, string> => {
  const parsed = parse(json)
  if (parsed === undefined) return Result.fail("--args is not JSON")
  if (!Predicate.isObject(parsed.value)) return Result.fail("--args is not a JSON object")
  return check({ ...parsed.value }, schema)
}

const check = (values: Arguments, schema: unknown): Result.Result<Arguments, string> => {
  const fields = fieldsOf(schema)
  const unknown = Object.keys(values).filter((name) => !fields.some((field) => field.name === name))
  if (unknown.length > 0 && !takesMore(schema)) return Result.fail(`it has no argument ${quoted(unknown)}`)
  const missing = fields.filter((field) => field.required && !Object.hasOwn(values, field.name))
  if (missing.length > 0) return Result.fail(`it needs ${quoted(missing.map((field) => field.name))}`)
  for (const field of fields) {
    if (!Object.hasOwn(values, field.name)) continue
    const value = values[field.name]
    if (field.types.length > 0 && !field.types.some((type) => isOfType(value, type))) {
      return Result.fail(`"${field.name}" must be ${field.types.join(" or ")}`)
    }
    if (field.choices.length > 0 && !Predicate.isObject(value) && !field.choices.includes(value)) {
      return Result.fail(
        `"${field.name}" must be one of ${field.choices.map((choice) => JSON.stringify(choice)).join(", ")}`
      )
    }
  }
  return Result.succeed(values)
}

const read = (word: string, types: ReadonlyArray<string>): unknown => {
  if (types.length > 0 && types.every((type) => type === "string")) return word
  const parsed = parse(word)
  if (parsed === undefined) return word
  // Where text is allowed beside other types, JSON that none of them takes is text.
  return types.includes("string") && !types.some((type) => type !== "string" && isOfType(parsed.value, type))
    ? word
    : parsed.value
}

const parse = (json: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(json) }
  } catch {
    return undefined
  }
}

const isOfType = (value: unknown, type: string): boolean => {
  switch (type) {
    case "string":
      return typeof value === "string"
    case "number":
      return typeof value === "number"
    case "integer":
      return Number.isInteger(value)
    case "boolean":
      return typeof value === "boolean"
    case "null":
      return value === null
    case "array":
      return Array.isArray(value)
    case "object":
      return Predicate.isObject(value)
    default:
      return true
  }
}

/** Whether names may be given that the schema does not list: it lists none, says so, or is put together otherwise. */
const takesMore = (schema: unknown): boolean =>
  member(schema, "properties") === undefined ||
  ["anyOf", "oneOf", "allOf", "$ref", "patternProperties", "if"].some((key) => member(schema, key) !== undefined) ||
  (member(schema, "additionalProperties") ?? false) !== false

const typesOf = (property: unknown): ReadonlyArray<string> => {
  const type = member(property, "type")
  if (typeof type === "string") return [type]
  if (Array.isArray(type)) return type.filter(Predicate.isString)
  const alternatives = listOf(member(property, "anyOf") ?? member(property, "oneOf"))
  const types = alternatives.map(typesOf)
  // One alternative that names no type takes anything.
  return types.some((each) => each.length === 0) ? [] : [...new Set(types.flat())]
}

const member = (value: unknown, key: string): unknown =>
  Predicate.isObject(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `"${printableLine(name)}"`).join(", ")
