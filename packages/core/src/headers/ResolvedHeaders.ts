/**
 * The headers of one request and where each came from.
 *
 * {@link merge} is the only place that decides between sources: the higher rank wins, equal ranks in the order given,
 * and what loses is kept as provenance. {@link ResolvedHeaders.reveal} is the only way from here to plain text.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { HeaderTooLarge } from "./HeaderError.ts"
import { FIELD_COUNT_LIMIT, foldName, TOTAL_LIMIT } from "./HeaderField.ts"
import type { HeaderPatch } from "./HeaderPatch.ts"

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

export class ResolvedHeaders {
  /** One entry per field, sent or not, in the order the fields were first named. */
  readonly provenance: ReadonlyArray<Provenance>
  /** The generation of every source that took part. */
  readonly generations: ReadonlyMap<string, number>

  constructor(provenance: ReadonlyArray<Provenance>, generations: ReadonlyMap<string, number>) {
    this.provenance = provenance
    this.generations = generations
  }

  /** The entry of a field that is sent, by name without regard to case. */
  get(name: string): Provenance | undefined {
    const folded = foldName(name)
    return this.provenance.find((entry) => entry.value !== undefined && foldName(entry.name) === folded)
  }

  /**
   * The fields in plain text: the single exit. Called where the request is written, and by a hook's own copy.
   */
  reveal(): ReadonlyArray<readonly [name: string, value: string]> {
    return this.provenance.flatMap((entry) =>
      entry.value === undefined ? [] : [[entry.name, Redacted.value(entry.value)] as const]
    )
  }
}

/** No headers at all. */
export const none = new ResolvedHeaders([], new Map())

/**
 * Merges patches into the headers of one request; pure, and the only judge between sources (design rule 1).
 *
 * Fails where the fields together exceed the count or the bytes that a request may carry.
 */
export const merge = (patches: ReadonlyArray<HeaderPatch>): Result.Result<ResolvedHeaders, HeaderTooLarge> => {
  const ordered = patches.map((patch, index) => ({ patch, index }))
  ordered.sort((a, b) => a.patch.rank - b.patch.rank || a.index - b.index)

  const fields = new Map<string, Provenance>()
  const generations = new Map<string, number>()
  for (const { patch } of ordered) {
    generations.set(patch.source, patch.generation)
    for (const field of patch.set) {
      const below = fields.get(foldName(field.name))
      const shadowed = shadowOf(below)
      fields.set(foldName(field.name), {
        name: field.name,
        value: field.value,
        source: patch.source,
        declared: field.declared,
        shadowed,
        won: whyWon(patch, below, shadowed)
      })
    }
    for (const field of patch.remove) {
      const below = fields.get(foldName(field.name))
      // Nobody states it: there is nothing to remove, and why it is left out stays.
      if (below === undefined || isLeftOut(below)) continue
      fields.set(foldName(field.name), {
        name: field.name,
        value: undefined,
        source: patch.source,
        declared: field.declared,
        shadowed: shadowOf(below),
        notSent: `removed by ${patch.source}`
      })
    }
    for (const field of patch.omitted) {
      // A source that says nothing in the end does not displace one that said something.
      if (fields.has(foldName(field.name))) continue
      fields.set(foldName(field.name), {
        name: field.name,
        value: undefined,
        source: patch.source,
        declared: field.declared,
        shadowed: [],
        notSent: field.why
      })
    }
  }

  const provenance = [...fields.values()]
  const sent = provenance.filter((entry) => entry.value !== undefined)
  if (sent.length > FIELD_COUNT_LIMIT) {
    return Result.fail(new HeaderTooLarge({ rule: `a request has at most ${FIELD_COUNT_LIMIT} fields from sources` }))
  }
  const bytes = sent.reduce(
    (total, entry) => total + entry.name.length + (entry.value === undefined ? 0 : Redacted.value(entry.value).length),
    0
  )
  if (bytes > TOTAL_LIMIT) {
    return Result.fail(
      new HeaderTooLarge({ rule: `the fields of a request have at most ${TOTAL_LIMIT} bytes together` })
    )
  }
  return Result.succeed(new ResolvedHeaders(provenance, generations))
}

/** What a statement about a field beats: the one before it and what that beat. What was left out states nothing. */
const shadowOf = (below: Provenance | undefined): ReadonlyArray<Statement> =>
  below === undefined || isLeftOut(below) ? [] : [{ source: below.source, declared: below.declared }, ...below.shadowed]

const isLeftOut = (field: Provenance): boolean => field.value === undefined && field.shadowed.length === 0

const whyWon = (patch: HeaderPatch, below: Provenance | undefined, shadowed: ReadonlyArray<Statement>): string => {
  const others = [...new Set(shadowed.map(({ source }) => source))].filter((source) => source !== patch.source)
  if (below === undefined || shadowed.length === 0) return "nothing else sets it"
  if (others.length === 0) return `${patch.source} states it more than once; the last statement counts`
  const reason = patch.rankedFor === undefined ? "" : `: ${patch.rankedFor}`
  return `${patch.source} ranks above ${others.join(", ")}${reason}`
}
