/**
 * The headers as hooks see them: an object whose names compare without regard to case, and what was changed in it.
 *
 * Values that did not come from the configuration's own text are masked. A masked value that is left alone means
 * "keep"; one that is copied into another header is not ASCII, so it is refused before it can be sent. Most hooks look
 * at few headers or none, so the object is filled when it is looked at.
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

/** The headers before the first hook. */
export interface HeadersBefore {
  readonly all: () => ReadonlyArray<ShownField>
  /** By name without regard to case. */
  readonly get: (name: string) => ShownField | undefined
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

/** A field that is not as it was before the hook that is declared there; `undefined`: taken away. */
interface Changed {
  readonly entry: Entry | undefined
  readonly declared: string
}

export class HookHeaders {
  readonly #before: HeadersBefore
  #changed: ReadonlyMap<string, Changed> = new Map()

  constructor(before: HeadersBefore) {
    this.#before = before
  }

  /** A fresh object for the next hook: a plain one to look at, whose names compare without regard to case. */
  view(): Record<string, string | undefined> {
    const target: Record<string, string | undefined> = Object.create(null)
    const changed = this.#changed
    return new Proxy(target, new CaselessNames(() => fieldsOf(this.#before, changed)))
  }

  /** Takes over what a hook left: what is not in it was taken away. */
  take(left: Fields, declared: string): void {
    const gone = [...fieldsOf(this.#before, this.#changed).keys()].filter((folded) => !left.has(folded))
    this.#put([...gone.map((folded) => [folded, undefined] as const), ...left], declared)
  }

  /** Takes over what a hook changes; other fields stay as they are. */
  change(fields: Fields, declared: string): void {
    this.#put(fields, declared)
  }

  /** What is not as it was before the first hook. */
  changes(): ReadonlyArray<Change> {
    const changes: Array<Change> = []
    for (const [folded, { declared, entry }] of this.#changed) {
      const was = entryOf(this.#before.get(folded))
      if (isSame(was, entry)) continue
      const name = entry?.name ?? was?.name ?? folded
      changes.push({ name, value: entry?.value, declared, existed: was !== undefined })
    }
    return changes
  }

  #put(fields: Iterable<readonly [folded: string, entry: Entry | undefined]>, declared: string): void {
    // The objects of earlier hooks keep what they show.
    const changed = new Map(this.#changed)
    for (const [folded, entry] of fields) {
      const known = changed.get(folded)
      const is = known === undefined ? entryOf(this.#before.get(folded)) : known.entry
      if (!isSame(is, entry)) changed.set(folded, { entry, declared })
    }
    this.#changed = changed
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

/** What a hook sees in place of a value: how long it is, in characters that no header value may have. */
const mask = (value: string): string => `•••• (${value.length} characters)`

const entryOf = (field: ShownField | undefined): Entry | undefined =>
  field === undefined ? undefined : { name: field.name, value: field.visible ? field.value : mask(field.value) }

const isSame = (a: Entry | undefined, b: Entry | undefined): boolean =>
  (a === undefined) === (b === undefined) && a?.value === b?.value

/** The fields there are after some changes. */
const fieldsOf = (before: HeadersBefore, changed: ReadonlyMap<string, Changed>): Map<string, Entry> => {
  const fields = new Map<string, Entry>()
  for (const field of before.all()) {
    const entry = entryOf(field)
    if (entry !== undefined) fields.set(foldName(field.name), entry)
  }
  for (const [folded, { entry }] of changed) {
    if (entry === undefined) fields.delete(folded)
    else fields.set(folded, entry)
  }
  return fields
}

type Target = Record<string, string | undefined>

/** Fills an object when it is first looked at or changed, and finds its names without regard to case. */
class CaselessNames implements ProxyHandler<Target> {
  readonly #fields: () => Fields
  /** How a folded name is spelled in the object; absent until that is filled. */
  #spelling: Map<string, string> | undefined

  constructor(fields: () => Fields) {
    this.#fields = fields
  }

  get(target: Target, key: string | symbol): unknown {
    return Reflect.get(target, this.#spelled(target, key))
  }

  has(target: Target, key: string | symbol): boolean {
    return Reflect.has(target, this.#spelled(target, key))
  }

  ownKeys(target: Target): ReadonlyArray<string | symbol> {
    this.#filled(target)
    return Reflect.ownKeys(target)
  }

  getOwnPropertyDescriptor(target: Target, key: string | symbol): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(target, this.#spelled(target, key))
  }

  defineProperty(target: Target, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(target, this.#spelled(target, key), descriptor)
  }

  preventExtensions(target: Target): boolean {
    this.#filled(target)
    return Reflect.preventExtensions(target)
  }

  set(target: Target, key: string | symbol, value: unknown): boolean {
    const name = this.#spelled(target, key)
    if (typeof name === "string") this.#filled(target).set(foldName(name), name)
    return Reflect.set(target, name, value)
  }

  deleteProperty(target: Target, key: string | symbol): boolean {
    const name = this.#spelled(target, key)
    if (typeof name === "string") this.#filled(target).delete(foldName(name))
    return Reflect.deleteProperty(target, name)
  }

  #spelled(target: Target, key: string | symbol): string | symbol {
    const spelling = this.#filled(target)
    return typeof key === "string" ? (spelling.get(foldName(key)) ?? key) : key
  }

  #filled(target: Target): Map<string, string> {
    if (this.#spelling !== undefined) return this.#spelling
    this.#spelling = new Map()
    for (const [folded, { name, value }] of this.#fields()) {
      this.#spelling.set(folded, name)
      target[name] = value
    }
    return this.#spelling
  }
}
