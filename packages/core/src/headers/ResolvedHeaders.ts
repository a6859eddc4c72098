/**
 * The headers of one request and where each came from.
 *
 * {@link merge} is the only place that decides between sources: the higher rank wins, equal ranks in the order given,
 * and what loses is kept as provenance. {@link ResolvedHeaders.reveal} is the only way from here to plain text.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { HeaderError, type HeaderTooLarge } from "./HeaderError.ts"
import * as HeaderPatch from "./HeaderPatch.ts"
import { MergedFields } from "./MergedFields.ts"
import type { ProvenRequest, RequestProof } from "./RequestProof.ts"

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
  readonly #patches: ReadonlyArray<HeaderPatch.HeaderPatch>
  readonly #fields: MergedFields
  #provenance: ReadonlyArray<Provenance> | undefined
  #generations: ReadonlyMap<string, number> | undefined

  private constructor(patches: ReadonlyArray<HeaderPatch.HeaderPatch>, fields: MergedFields) {
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
  patchOf(source: string): HeaderPatch.HeaderPatch | undefined {
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

  /** What the Authorization that is sent needs on each request beside it; absent where it needs nothing. */
  get proof(): RequestProof | undefined {
    return this.#fields.proving?.proof
  }

  /**
   * The headers of one request, which is about to be written: these, and what proves the key of their Authorization.
   * What another source says of a field of the proof does not count: it would not be of that key.
   */
  proven(request: ProvenRequest): Effect.Effect<ResolvedHeaders, HeaderError> {
    const { proving } = this.#fields
    if (proving === undefined) return Effect.succeed(this)
    const { generation, proof, source } = proving
    return Effect.flatMap(proof.prove(request), (set) => {
      const patch = { ...HeaderPatch.empty(source, Infinity), rankedFor: PROVEN, generation, set }
      const fields = new MergedFields([patch], this.#fields)
      // What the source said of the call is the same for its other requests; the proof is not.
      return fields.defect === undefined
        ? Effect.succeed(new ResolvedHeaders(this.#patches, fields))
        : Effect.fail(new HeaderError({ source, reason: fields.defect }))
    })
  }

  /**
   * What further patches make of these headers: the same as {@link merge} of all patches at once.
   *
   * Where none of them ranks below a patch that is merged already, it costs as much as they say themselves.
   */
  and(patches: ReadonlyArray<HeaderPatch.HeaderPatch>): Result.Result<ResolvedHeaders, HeaderTooLarge> {
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

const PROVEN = "it proves the key of the Authorization that is sent"

/** No headers at all. */
export const none: ResolvedHeaders = ResolvedHeaders.none

/**
 * Merges patches into the headers of one request; pure, and the only judge between sources (design rule 1).
 *
 * Fails where the fields together exceed the count or the bytes that a request may carry.
 */
export const merge = (
  patches: ReadonlyArray<HeaderPatch.HeaderPatch>
): Result.Result<ResolvedHeaders, HeaderTooLarge> => none.and(patches)

/** Whether no patch from an index on ranks below the one before it. */
const isAscending = (patches: ReadonlyArray<HeaderPatch.HeaderPatch>, from: number): boolean =>
  patches.every((patch, index) => index < from || patch.rank >= (patches[index - 1] ?? patch).rank)
