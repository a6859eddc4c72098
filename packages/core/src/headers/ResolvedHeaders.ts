/**
 * The headers of one request and where each came from.
 *
 * {@link merge} is the only place that decides between sources: the higher rank wins, equal ranks in the order given,
 * and what loses is kept as provenance. {@link ResolvedHeaders.reveal} is the only way from here to plain text.
 */
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { HeaderTooLarge } from "./HeaderError.ts"
import type { HeaderPatch } from "./HeaderPatch.ts"
import { MergedFields } from "./MergedFields.ts"

/** A statement of a source about a field. */
export interface Statement {
  readonly source: string
  /** Where that is declared: a place in a file, a command, a module. */
  readonly declared: string
}

/** What a field owes its value, or its absence, to. */
export interface Provenance extends Statement {
  readonly name: string
  /** `undefined` where the field is not sent. */
  readonly value: Redacted.Redacted | undefined
  /** Statements of other sources that this one beat, highest first. */
  readonly shadowed: ReadonlyArray<Statement>
  /** Why this value is the one that is sent: a part of a sentence, such as `helper ranks above static`. */
  readonly won?: string
  /** Why the field is not sent; absent where it is. */
  readonly notSent?: string
}

/** Made by {@link merge} alone. */
export class ResolvedHeaders {
  /** In order of rank. */
  readonly #patches: ReadonlyArray<HeaderPatch>
  readonly #fields: MergedFields
  #provenance: ReadonlyArray<Provenance> | undefined
  #generations: ReadonlyMap<string, number> | undefined

  private constructor(patches: ReadonlyArray<HeaderPatch>, fields: MergedFields) {
    this.#patches = patches
    this.#fields = fields
  }

  /** No headers at all. */
  static readonly none: ResolvedHeaders = new ResolvedHeaders([], new MergedFields([]))

  /** One entry per field, sent or not, in the order the fields were first named. */
  get provenance(): ReadonlyArray<Provenance> {
    return (this.#provenance ??= this.#fields.all.map((field) => field.provenance))
  }

  /** The generation of every source that took part. */
  get generations(): ReadonlyMap<string, number> {
    return (this.#generations ??= new Map(this.#patches.map(({ source, generation }) => [source, generation])))
  }

  /** What a source said, where it said something. */
  patchOf(source: string): HeaderPatch | undefined {
    return this.#patches.findLast((patch) => patch.source === source)
  }

  /** The entry of a field that is sent, by name without regard to case. */
  get(name: string): Provenance | undefined {
    const field = this.#fields.get(name)
    return field?.set === undefined ? undefined : field.provenance
  }

  /** Whether a field is sent, by name without regard to case. */
  has(name: string): boolean {
    return this.#fields.get(name)?.set !== undefined
  }

  /**
   * The fields in plain text: the single exit. Called where the request is written, and by a hook's own copy.
   */
  reveal(): ReadonlyArray<readonly [name: string, value: string]> {
    return this.#fields.plain
  }

  /**
   * What further patches make of these headers: the same as {@link merge} of all patches at once.
   *
   * Where none of them ranks below a patch that is merged already, it costs as much as they say themselves.
   */
  and(patches: ReadonlyArray<HeaderPatch>): Result.Result<ResolvedHeaders, HeaderTooLarge> {
    if (patches.length === 0) return Result.succeed(this)
    const all = this.#patches.concat(patches)
    const onTop = isAscending(all, this.#patches.length)
    // A stable sort: equal ranks stay in the order given.
    const ordered = onTop ? all : all.toSorted((a, b) => a.rank - b.rank)
    const fields = onTop ? new MergedFields(patches, this.#fields) : new MergedFields(ordered)
    const { defect } = fields
    return defect === undefined ? Result.succeed(new ResolvedHeaders(ordered, fields)) : Result.fail(defect)
  }
}

/** No headers at all. */
export const none: ResolvedHeaders = ResolvedHeaders.none

/**
 * Merges patches into the headers of one request; pure, and the only judge between sources (design rule 1).
 *
 * Fails where the fields together exceed the count or the bytes that a request may carry.
 */
export const merge = (patches: ReadonlyArray<HeaderPatch>): Result.Result<ResolvedHeaders, HeaderTooLarge> =>
  none.and(patches)

/** Whether no patch from an index on ranks below the one before it. */
const isAscending = (patches: ReadonlyArray<HeaderPatch>, from: number): boolean =>
  patches.every((patch, index) => index < from || patch.rank >= (patches[index - 1] ?? patch).rank)
