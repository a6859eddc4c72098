/**
 * The judge between sources: of all statements about a field the last one counts, the others are what it beat.
 *
 * Statements come in order, the lowest rank first. Each request of a busy runtime passes here, so a statement is only
 * put on top of those about the same field; why it won is put into words when somebody asks.
 */
import * as Redacted from "effect/Redacted"
import { HeaderTooLarge } from "./HeaderError.ts"
import { FIELD_COUNT_LIMIT, foldName, TOTAL_LIMIT } from "./HeaderField.ts"
import type { HeaderPatch } from "./HeaderPatch.ts"
import type { Provenance, Statement } from "./ResolvedHeaders.ts"

export class MergedFields {
  /** By folded name, in the order the fields were first named. */
  readonly #fields: Map<string, MergedField>
  #sent: number
  #bytes: number

  /** No fields, or a copy. */
  constructor(below?: MergedFields) {
    this.#fields = new Map(below === undefined ? [] : below.#fields)
    this.#sent = below === undefined ? 0 : below.#sent
    this.#bytes = below === undefined ? 0 : below.#bytes
  }

  /** Takes over what a patch says, on top of what is there. */
  add(patch: HeaderPatch): void {
    for (const { declared, name, value } of patch.set) {
      const folded = foldName(name)
      const below = this.#fields.get(folded)
      const size = name.length + Redacted.value(value).length
      this.#put(folded, new MergedField(patch, name, declared, value, size, undefined, statedBy(below)), below)
    }
    for (const { declared, name } of patch.remove) {
      const folded = foldName(name)
      const below = statedBy(this.#fields.get(folded))
      // Nobody states it: there is nothing to remove, and why it is left out stays.
      if (below === undefined) continue
      this.#put(
        folded,
        new MergedField(patch, name, declared, undefined, 0, `removed by ${patch.source}`, below),
        below
      )
    }
    for (const { declared, name, why } of patch.omitted) {
      const folded = foldName(name)
      // A source that says nothing in the end does not displace one that said something.
      if (this.#fields.has(folded)) continue
      this.#put(folded, new MergedField(patch, name, declared, undefined, 0, why, undefined), undefined)
    }
  }

  get(name: string): MergedField | undefined {
    return this.#fields.get(foldName(name))
  }

  all(): Iterable<MergedField> {
    return this.#fields.values()
  }

  /** The limit of a request that the fields exceed together, or `undefined`. */
  get defect(): HeaderTooLarge | undefined {
    if (this.#sent > FIELD_COUNT_LIMIT) {
      return new HeaderTooLarge({ rule: `a request has at most ${FIELD_COUNT_LIMIT} fields from sources` })
    }
    if (this.#bytes > TOTAL_LIMIT) {
      return new HeaderTooLarge({ rule: `the fields of a request have at most ${TOTAL_LIMIT} bytes together` })
    }
    return undefined
  }

  #put(folded: string, field: MergedField, replaced: MergedField | undefined): void {
    this.#fields.set(folded, field)
    this.#sent += countOf(field) - countOf(replaced)
    this.#bytes += field.size - (replaced?.size ?? 0)
  }
}

/** The statement about a field that counts, on those that it beat. */
export class MergedField {
  readonly #patch: HeaderPatch
  readonly #declared: string
  readonly #notSent: string | undefined
  readonly #below: MergedField | undefined
  #provenance: Provenance | undefined
  readonly name: string
  /** `undefined` where the field is not sent. */
  readonly value: Redacted.Redacted | undefined
  /** Bytes of name and value; 0 where it is not sent. */
  readonly size: number

  constructor(
    patch: HeaderPatch,
    name: string,
    declared: string,
    value: Redacted.Redacted | undefined,
    size: number,
    notSent: string | undefined,
    below: MergedField | undefined
  ) {
    this.#patch = patch
    this.#declared = declared
    this.#notSent = notSent
    this.#below = below
    this.name = name
    this.value = value
    this.size = size
  }

  /** Whether a source would have set it and did not, and nobody else did. */
  get isLeftOut(): boolean {
    return this.value === undefined && this.#below === undefined
  }

  get provenance(): Provenance {
    return (this.#provenance ??= this.#explain())
  }

  #explain(): Provenance {
    const { source } = this.#patch
    const shadowed: Array<Statement> = []
    for (let field = this.#below; field !== undefined; field = field.#below) {
      shadowed.push({ source: field.#patch.source, declared: field.#declared })
    }
    const stated = { name: this.name, value: this.value, source, declared: this.#declared, shadowed }
    return this.#notSent === undefined
      ? { ...stated, won: whyWon(this.#patch, shadowed) }
      : { ...stated, notSent: this.#notSent }
  }
}

/** What there is to beat: what was left out states nothing. */
const statedBy = (field: MergedField | undefined): MergedField | undefined =>
  field === undefined || field.isLeftOut ? undefined : field

const countOf = (field: MergedField | undefined): number => (field?.value === undefined ? 0 : 1)

const whyWon = (patch: HeaderPatch, shadowed: ReadonlyArray<Statement>): string => {
  if (shadowed.length === 0) return "nothing else sets it"
  const others = [...new Set(shadowed.map(({ source }) => source))].filter((source) => source !== patch.source)
  if (others.length === 0) return `${patch.source} states it more than once; the last statement counts`
  const reason = patch.rankedFor === undefined ? "" : `: ${patch.rankedFor}`
  return `${patch.source} ranks above ${others.join(", ")}${reason}`
}
