/**
 * The headers as hooks see them: an object whose names compare without regard to case, and what was changed in it.
 *
 * Values that did not come from the configuration's own text are masked. A masked value that is left alone means
 * "keep"; one that is copied into another header is not ASCII, so it is refused before it can be sent.
 */
import * as Predicate from "effect/Predicate"
import { foldName } from "../headers/HeaderField.ts"

/** A field that hooks are shown. */
export interface ShownField {
  readonly name: string
  readonly value: string
  /** Whether hooks see the value, or a mask. */
  readonly visible: boolean
}

/** What hooks did to a field. */
export interface Change {
  readonly name: string
  /** `undefined`: taken away. */
  readonly value: string | undefined
  /** Where the hook that did it last is declared. */
  readonly declared: string
  /** Whether the field was there before the first hook. */
  readonly existed: boolean
}

interface Entry {
  readonly name: string
  readonly value: string | undefined
}

/** Fields by folded name. */
export type Fields = ReadonlyMap<string, Entry>

/** What a hook sees in place of a value: how long it is, in characters that no header value may have. */
const mask = (value: string): string => `•••• (${value.length} characters)`

export interface HookHeaders {
  /** A fresh object for the next hook. */
  readonly view: () => Record<string, string | undefined>
  /** Takes over what a hook left. */
  readonly take: (left: Fields, declared: string) => void
  /** What is left if a hook changes these fields and no others. */
  readonly changed: (fields: Fields) => Fields
  readonly changes: () => ReadonlyArray<Change>
}

/** The headers before the first hook. */
export const make = (fields: ReadonlyArray<ShownField>): HookHeaders => {
  const shown = (field: ShownField) => (field.visible ? field.value : mask(field.value))
  const before = new Map(fields.map((field) => [foldName(field.name), { name: field.name, value: shown(field) }]))
  let current: Fields = before
  const changedBy = new Map<string, string>()

  return {
    view: () => caseless(current),
    take: (left, declared) => {
      for (const folded of new Set([...current.keys(), ...left.keys()])) {
        if (!isSame(current.get(folded), left.get(folded))) changedBy.set(folded, declared)
      }
      current = left
    },
    changed: (fields) => new Map([...current, ...fields]),
    changes: () =>
      [...changedBy].flatMap(([folded, declared]) => {
        const was = before.get(folded)
        const is = current.get(folded)
        if (isSame(was, is)) return []
        return [{ name: is?.name ?? was?.name ?? folded, value: is?.value, declared, existed: was !== undefined }]
      })
  }
}

/**
 * A copy of what a hook left; later changes to the object do nothing. Of two spellings of one name the last counts.
 *
 * The object is the hook's own, so reading it can throw.
 */
export const read = (left: unknown): Fields => {
  const entries = new Map<string, Entry>()
  if (!Predicate.isObject(left)) return entries
  for (const [name, value] of Object.entries(left)) {
    entries.set(foldName(name), { name, value: typeof value === "string" ? value : undefined })
  }
  return entries
}

const isSame = (a: Entry | undefined, b: Entry | undefined): boolean =>
  (a === undefined) === (b === undefined) && a?.value === b?.value

/** A plain object to look at, whose names compare without regard to case. */
const caseless = (fields: Fields): Record<string, string | undefined> => {
  const spelling = new Map([...fields].map(([folded, entry]) => [folded, entry.name]))
  const target: Record<string, string | undefined> = Object.create(null)
  for (const entry of fields.values()) target[entry.name] = entry.value
  const spelled = (key: string | symbol) => (typeof key === "string" ? (spelling.get(foldName(key)) ?? key) : key)
  return new Proxy(target, {
    get: (object, key) => Reflect.get(object, spelled(key)),
    has: (object, key) => Reflect.has(object, spelled(key)),
    getOwnPropertyDescriptor: (object, key) => Reflect.getOwnPropertyDescriptor(object, spelled(key)),
    set: (object, key, value) => {
      const name = spelled(key)
      if (typeof name === "string") spelling.set(foldName(name), name)
      return Reflect.set(object, name, value)
    },
    deleteProperty: (object, key) => {
      const name = spelled(key)
      if (typeof name === "string") spelling.delete(foldName(name))
      return Reflect.deleteProperty(object, name)
    }
  })
}
