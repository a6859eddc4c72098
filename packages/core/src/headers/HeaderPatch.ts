/**
 * What one source has to say about the headers of a server: fields to set, fields to remove, fields it leaves out.
 *
 * Every field that enters here was checked; no value can be seen by printing it from here to the request.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Place } from "../server/ServerEntry.ts"
import { HeaderForbidden, HeaderInvalid, HeaderTooLarge } from "./HeaderError.ts"
import type { RequestProof } from "./RequestProof.ts"
import { isForwardedOnly, isProtocolOwned, NAME_LIMIT, nameDefect, VALUE_LIMIT, valueDefect } from "./HeaderField.ts"

/** A field that a source sets. */
export interface SetField {
  readonly name: string
  readonly value: Redacted.Redacted
  /** Where that is declared: a place in a file, a command, a module. */
  readonly declared: string
}

/**
 * As the checks make it: holds its value where nothing prints it, and as `Redacted` once somebody asks for that. To make
 * one costs more than all else about a field, and most fields of a call are only sent.
 */
class CheckedField implements SetField {
  readonly name: string
  readonly #plain: string
  #declared: Declared
  #value: Redacted.Redacted | undefined

  constructor(name: string, plain: string, declared: Declared) {
    this.name = name
    this.#declared = declared
    this.#plain = plain
  }

  get declared(): string {
    if (typeof this.#declared !== "string") this.#declared = this.#declared()
    return this.#declared
  }

  get value(): Redacted.Redacted {
    return (this.#value ??= Redacted.make(this.#plain, { label: this.name }))
  }

  static plain(field: SetField): string {
    return #plain in field ? field.#plain : Redacted.value(field.value)
  }
}

/** Where a field is declared, or what puts that into words once somebody asks: most fields are only sent. */
export type Declared = string | (() => string)

/** The value of a field in plain text; for where the request is written. */
export const plainValue = (field: SetField): string => CheckedField.plain(field)

/** A field that a source takes away from those below it. */
export interface RemovedField {
  readonly name: string
  readonly declared: string
}

/** A field that a source would set and does not, and why. */
export interface OmittedField {
  readonly name: string
  readonly declared: string
  readonly why: string
}

export interface HeaderPatch {
  /** The id of the source. */
  readonly source: string
  /** Where the source stands in the order of precedence; higher wins. */
  readonly rank: number
  /** Why it stands there, where that is not the place of all its kind; a part of a sentence. */
  readonly rankedFor?: string
  /** The source's own counter: it grows with every new answer. */
  readonly generation: number
  readonly set: ReadonlyArray<SetField>
  readonly remove: ReadonlyArray<RemovedField>
  readonly omitted: ReadonlyArray<OmittedField>
  /** Epoch milliseconds after which the patch must not be used on a live connection. */
  readonly expiresAt?: number
  /** What the Authorization that it sets needs on each request beside it. */
  readonly proof?: RequestProof
}

/** A patch that does nothing. */
export const empty = (source: string, rank: number): HeaderPatch => ({
  source,
  rank,
  generation: 0,
  set: NOTHING,
  remove: NOTHING,
  omitted: NOTHING
})

const NOTHING: ReadonlyArray<never> = []

/** The same patch in no more memory than it needs, to be kept: a list that grew has room for more. */
export const compact = (patch: HeaderPatch): HeaderPatch => ({
  ...patch,
  set: fitted(patch.set),
  remove: fitted(patch.remove),
  omitted: fitted(patch.omitted)
})

const fitted = <A>(list: ReadonlyArray<A>): ReadonlyArray<A> => (list.length === 0 ? NOTHING : list.slice())

/** Why a field cannot be made. */
export type FieldDefect = HeaderInvalid | HeaderForbidden | HeaderTooLarge

/** A checked field, or the reason why it is none. */
export const setField = (
  name: string,
  value: string,
  declared: Declared,
  place?: Place
): Result.Result<SetField, FieldDefect> => checked(name, value, declared, place, isProtocolOwned)

/** As {@link setField}, for a field that is forwarded because its entry names it. */
export const forwardField = (
  name: string,
  value: string,
  declared: Declared,
  place?: Place
): Result.Result<SetField, FieldDefect> =>
  checked(name, value, declared, place, (owned) => isProtocolOwned(owned) && !isForwardedOnly(owned))

const checked = (
  name: string,
  value: string,
  declared: Declared,
  place: Place | undefined,
  isOwned: (name: string) => boolean
): Result.Result<SetField, FieldDefect> => {
  if (name.length > NAME_LIMIT) {
    return Result.fail(new HeaderTooLarge({ field: `${printable(name.slice(0, 32))}…`, rule: nameDefect(name) ?? "" }))
  }
  const badName = nameDefect(name)
  if (badName !== undefined)
    return Result.fail(new HeaderInvalid({ field: printable(name), rule: badName, ...at(place) }))
  if (isOwned(name)) return Result.fail(new HeaderForbidden({ field: name, ...at(place) }))
  if (value.length > VALUE_LIMIT) {
    return Result.fail(new HeaderTooLarge({ field: name, rule: `a value has at most ${VALUE_LIMIT} bytes` }))
  }
  const badValue = valueDefect(value)
  if (badValue !== undefined) return Result.fail(new HeaderInvalid({ field: name, rule: badValue, ...at(place) }))
  return Result.succeed(new CheckedField(name, value, declared))
}

const at = (place: Place | undefined) => (place === undefined ? {} : { place })

/** A broken name is shown, so it must not break the terminal it is shown on: of it only visible ASCII stays as it is. */
const printable = (name: string): string =>
  name.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
