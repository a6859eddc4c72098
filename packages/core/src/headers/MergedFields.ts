/**
 * The judge between sources: of all statements about a field the last one counts, the others are what it beat.
 *
 * Statements come in order, the lowest rank first. Each request of a busy runtime passes here, so what a connection's
 * sources say is put together once and stays as it is; what a call's sources say lies on top of that, and refers to it.
 * Why a statement won is put into words when somebody asks.
 */
import { HeaderTooLarge } from "./HeaderError.ts"
import { FIELD_COUNT_LIMIT, foldName, TOTAL_LIMIT } from "./HeaderField.ts"
import { type HeaderPatch, plainValue, type SetField } from "./HeaderPatch.ts"
import type { Provenance, Statement } from "./ResolvedHeaders.ts"

/** A name and its value in plain text. */
export type PlainField = readonly [name: string, value: string]

/** The fields of some patches, on top of those of lower ones. */
export class MergedFields {
  readonly #below: MergedFields | undefined
  /** What is said here, by folded name, in the order the fields were first named. */
  readonly #own = new Map<string, MergedField>()
  /** Whether it says something about a field that is named below. */
  #overlaps = false
  /** Whether a patch came with a proof. */
  #proves = false
  #sent: number
  #bytes: number
  #plain: ReadonlyArray<PlainField> | undefined

  constructor(patches: ReadonlyArray<HeaderPatch>, below?: MergedFields) {
    this.#below = below
    this.#sent = below === undefined ? 0 : below.#sent
    this.#bytes = below === undefined ? 0 : below.#bytes
    this.#proves = below !== undefined && below.#proves
    for (const patch of patches) this.#add(patch)
  }

  get(name: string): MergedField | undefined {
    return this.#find(foldName(name))
  }

  /** The patch of the Authorization that is sent, where that needs a proof. */
  get proving(): ProvingPatch | undefined {
    if (!this.#proves) return undefined
    const patch = this.#find("authorization")?.setBy
    return patch !== undefined && isProving(patch) ? patch : undefined
  }

  /** In the order they were first named. */
  get all(): ReadonlyArray<MergedField> {
    return [...this.#byName().values()]
  }

  /** Those that are sent, in the order they were first named. */
  get plain(): ReadonlyArray<PlainField> {
    if (this.#plain === undefined) {
      const below = this.#overlaps ? undefined : this.#below
      const plain: Array<PlainField> = []
      for (const { set } of (below === undefined ? this.#byName() : this.#own).values()) {
        if (set !== undefined) plain.push([set.name, plainValue(set)])
      }
      this.#plain = below === undefined ? plain.slice() : below.plain.concat(plain)
    }
    return this.#plain
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

  #add(patch: HeaderPatch): void {
    if (isProving(patch)) this.#proves = true
    for (const field of patch.set) {
      const folded = foldName(field.name)
      const below = this.#find(folded)
      this.#put(folded, new MergedField(patch, field, field, undefined, statedBy(below)), below)
    }
    for (const field of patch.remove) {
      const folded = foldName(field.name)
      const below = statedBy(this.#find(folded))
      // Nobody states it: there is nothing to remove, and why it is left out stays.
      if (below === undefined) continue
      this.#put(folded, new MergedField(patch, field, undefined, `removed by ${patch.source}`, below), below)
    }
    for (const field of patch.omitted) {
      const folded = foldName(field.name)
      // A source that says nothing in the end does not displace one that said something.
      if (this.#find(folded) !== undefined) continue
      this.#put(folded, new MergedField(patch, field, undefined, field.why, undefined), undefined)
    }
  }

  #put(folded: string, field: MergedField, replaced: MergedField | undefined): void {
    if (replaced !== undefined && !this.#own.has(folded)) this.#overlaps = true
    this.#own.set(folded, field)
    this.#sent += (field.set === undefined ? 0 : 1) - (replaced?.set === undefined ? 0 : 1)
    this.#bytes += sizeOf(field) - sizeOf(replaced)
  }

  #find(folded: string): MergedField | undefined {
    const own = this.#own.get(folded)
    return own !== undefined || this.#below === undefined ? own : this.#below.#find(folded)
  }

  #byName(): ReadonlyMap<string, MergedField> {
    if (this.#below === undefined) return this.#own
    return new Map([...this.#below.#byName(), ...this.#own])
  }
}

/** A patch with a proof. */
export type ProvingPatch = HeaderPatch & Required<Pick<HeaderPatch, "proof">>

const isProving = (patch: HeaderPatch): patch is ProvingPatch => patch.proof !== undefined

/** The statement about a field that counts, on those that it beat. */
export class MergedField {
  readonly #patch: HeaderPatch
  readonly #stated: Stated
  readonly #notSent: string | undefined
  readonly #below: MergedField | undefined
  #provenance: Provenance | undefined
  /** The field that is sent, if one is. */
  readonly set: SetField | undefined

  constructor(
    patch: HeaderPatch,
    stated: Stated,
    set: SetField | undefined,
    notSent: string | undefined,
    below: MergedField | undefined
  ) {
    this.#patch = patch
    this.#stated = stated
    this.#notSent = notSent
    this.#below = below
    this.set = set
  }

  /** Whether a source would have set it and did not, and nobody else did. */
  get isLeftOut(): boolean {
    return this.set === undefined && this.#below === undefined
  }

  /** The patch that it is from, if it is sent. */
  get setBy(): HeaderPatch | undefined {
    return this.set === undefined ? undefined : this.#patch
  }

  get provenance(): Provenance {
    return (this.#provenance ??= this.#explain())
  }

  #explain(): Provenance {
    const { source } = this.#patch
    const { declared, name } = this.#stated
    const shadowed: Array<Statement> = []
    for (let field = this.#below; field !== undefined; field = field.#below) {
      shadowed.push({ source: field.#patch.source, declared: field.#stated.declared })
    }
    const stated = { name, value: this.set?.value, source, declared, shadowed }
    return this.#notSent === undefined
      ? { ...stated, won: whyWon(this.#patch, shadowed) }
      : { ...stated, notSent: this.#notSent }
  }
}

/** A field as a patch names it. */
interface Stated {
  readonly name: string
  readonly declared: string
}

/** What there is to beat: what was left out states nothing. */
const statedBy = (field: MergedField | undefined): MergedField | undefined =>
  field === undefined || field.isLeftOut ? undefined : field

const sizeOf = (field: MergedField | undefined): number =>
  field?.set === undefined ? 0 : field.set.name.length + plainValue(field.set).length

const whyWon = (patch: HeaderPatch, shadowed: ReadonlyArray<Statement>): string => {
  if (shadowed.length === 0) return "nothing else sets it"
  const others = [...new Set(shadowed.map(({ source }) => source))].filter((source) => source !== patch.source)
  if (others.length === 0) return `${patch.source} states it more than once; the last statement counts`
  const reason = patch.rankedFor === undefined ? "" : `: ${patch.rankedFor}`
  return `${patch.source} ranks above ${others.join(", ")}${reason}`
}
