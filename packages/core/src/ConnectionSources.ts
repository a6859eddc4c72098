/**
 * The sources of one connection: what each answered, and what comes of that for a call.
 *
 * Sources with lifetime `connection` are asked at connect and reconnect and keep their answers; what these come to is
 * merged once. A call asks the others and merges what they add. As long as all of them answer at once, so does
 * {@link ConnectionSources.resolve}; from the first that has to be awaited, an effect does the rest.
 *
 * Sources are asked from the lowest rank up, but one that stands back for others is asked after all that rank below
 * hook, and only where these leave its field open. Which value wins is decided by rank all the same.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { CallContext } from "./call/CallContext.ts"
import { HeaderError } from "./headers/HeaderError.ts"
import { foldName } from "./headers/HeaderField.ts"
import type { HeaderPatch } from "./headers/HeaderPatch.ts"
import { none, type Provenance, type ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import { isSettled } from "./Settled.ts"
import { type ChallengeResponse, type HeaderSource, Rank, type SoFar } from "./sources/HeaderSource.ts"

/** Answers of sources with lifetime `connection`, shared by the connections of a principal. */
export interface SharedAnswers {
  /** The latest answer of a source. */
  readonly latest: (source: HeaderSource) => HeaderPatch | undefined
  /** Its successor; all who wait for it at once share one. */
  readonly renew: (source: HeaderSource) => Effect.Effect<HeaderPatch, HeaderError>
}

export interface ConnectionSourcesOptions {
  readonly entry: ServerEntry
  /** Of the runtime, low to high. */
  readonly sources: ReadonlyArray<HeaderSource>
  readonly answers: SharedAnswers
  readonly clock: Clock.Clock
}

type Merged = Exit.Exit<ResolvedHeaders, HeaderError>

/** A source that has a say in the headers of this connection. */
interface Slot {
  readonly source: HeaderSource
  /** Its answer, where that is kept. */
  patch: HeaderPatch | undefined
  /** Had expired when it came, and was not used yet: good for one request, or the server would never be asked. */
  unused: boolean
}

export class ConnectionSources {
  readonly #entry: ServerEntry
  readonly #answers: SharedAnswers
  readonly #clock: Clock.Clock
  /** In the order they are asked. */
  readonly #slots: ReadonlyArray<Slot>
  /** Those with lifetime `connection`. */
  readonly #kept: ReadonlyArray<Slot>
  /** Where the last of those stands. */
  readonly #lastKept: number
  /** What the kept answers come to, until one of them is another. */
  #keptHeaders: Merged | undefined

  /** Nothing is asked yet; see {@link reconnect}. */
  constructor(options: ConnectionSourcesOptions) {
    this.#entry = options.entry
    this.#answers = options.answers
    this.#clock = options.clock
    this.#slots = inOrderOfAsking(options.sources)
      .filter((source) => source.applies?.(options.entry) !== false)
      .map((source) => ({ source, patch: undefined, unused: false }))
    this.#kept = this.#slots.filter(({ source }) => source.lifetime === "connection").slice()
    this.#lastKept = this.#slots.findLastIndex(({ source }) => source.lifetime === "connection")
  }

  /** As `reconnect` of `ConnectionHeaders`; also what asks them for the first time. */
  reconnect(): Effect.Effect<void, HeaderError> {
    return Effect.gen({ self: this }, function* () {
      const renewed: Array<readonly [slot: Slot, patch: HeaderPatch]> = []
      for (const slot of this.#kept) renewed.push([slot, yield* this.#answers.renew(slot.source)])
      for (const [slot, patch] of renewed) {
        // A refusal that came meanwhile may have led to an answer that is newer still.
        if (patch.generation > generationOf(slot)) this.#hold(slot, patch)
      }
    })
  }

  /** As `resolve` of `ConnectionHeaders`. */
  resolve(call: CallContext, before?: ResolvedHeaders): Effect.Effect<ResolvedHeaders, HeaderError> {
    try {
      const patches = new CallPatches(this.#entry, before)
      const due = this.#kept.some((slot) => this.#isDue(slot))
      if (due) return Effect.flatMap(this.#renewDue(), () => this.#ask(call, patches, 0))
      for (const slot of this.#kept) slot.unused = false
      return this.#ask(call, patches, 0)
    } catch (defect) {
      // Of a source that throws instead of returning an effect.
      return Exit.die(defect)
    }
  }

  /** As `challenge` of `ConnectionHeaders`. */
  challenge(
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ): Effect.Effect<"retry" | "give up", HeaderError> {
    return Effect.gen({ self: this }, function* () {
      for (const slot of challenged(this.#slots, sent, response)) {
        const { source } = slot
        const sentGeneration = sent.generations.get(source.id) ?? 0
        if (generationOf(slot) > sentGeneration) return "retry"
        const asked = source.challenge?.(this.#entry, call, sent, response)
        if (asked === undefined || !(yield* asked)) continue
        // A source that is asked for each call has the next one to show for it. Somebody may have renewed another while
        // it was asked.
        if (source.lifetime === "connection" && generationOf(slot) <= sentGeneration) {
          yield* this.#succeed(slot, sentGeneration)
        }
        return "retry"
      }
      return "give up"
    })
  }

  /** As `refusedAgain` of `ConnectionHeaders`. */
  refusedAgain(
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ): Effect.Effect<void, HeaderError> {
    // Where somebody said who calls, the first refusal reached nobody else either.
    if (response.status !== 401 || sent.has("authorization")) return Effect.void
    const standing = this.#slots.filter(({ source }) => source.standsBackFor !== undefined)
    return Effect.forEach(
      standing,
      ({ source }) => source.challenge?.(this.#entry, call, sent, response) ?? Effect.void,
      { discard: true }
    )
  }

  /** As `signIn` of `ConnectionHeaders`. */
  signIn(owner: CallContext): Effect.Effect<boolean, HeaderError> {
    for (const { source } of this.#slots) {
      const signingIn = source.signIn?.(this.#entry, owner)
      if (signingIn !== undefined) return Effect.as(signingIn, true)
    }
    return Effect.succeed(false)
  }

  /** The provenance of a call's headers; beside what was beaten, with the sources that stood back. */
  explain(resolved: ResolvedHeaders): ReadonlyArray<Provenance> {
    const standing = this.#slots.flatMap(({ source }) => (source.standsBackFor === undefined ? [] : [source]))
    return resolved.provenance.map((field) => {
      const statements = [field, ...field.shadowed]
      const stoodBack = standing.flatMap((source) => {
        if (foldName(source.standsBackFor ?? "") !== foldName(field.name)) return []
        const supplier = statements.find((statement) => this.#ranksBelowHook(statement.source))
        if (supplier === undefined || statements.some((statement) => statement.source === source.id)) return []
        return [{ source: source.id, declared: `not attempted, since ${supplier.source} supplies ${field.name}` }]
      })
      return stoodBack.length === 0 ? field : { ...field, shadowed: [...field.shadowed, ...stoodBack] }
    })
  }

  #ranksBelowHook(id: string): boolean {
    return this.#slots.some(({ source }) => source.id === id && source.rank < Rank.hook)
  }

  /** Asks for a call from a place in the order on; `patches` are those of the sources before it. */
  #ask(call: CallContext, patches: CallPatches, index: number): Effect.Effect<ResolvedHeaders, HeaderError> {
    const slot = this.#slots[index]
    if (slot === undefined) return patches.soFar()
    if (slot.patch !== undefined) {
      patches.add(slot.patch)
      // Nothing but what is kept: that was merged before.
      if (index === this.#lastKept && !patches.ofCall) patches.startFrom(this.#mergeKept())
      return this.#ask(call, patches, index + 1)
    }
    if (slot.source.standsBackFor !== undefined) {
      const others = patches.soFar()
      if (Exit.isFailure(others)) return others
      if (others.value.has(slot.source.standsBackFor)) return this.#ask(call, patches, index + 1)
    }
    const answer = slot.source.resolve(this.#entry, call, patches.soFar, patches.before)
    if (!isSettled(answer)) {
      return Effect.flatMap(answer, (patch) => this.#ask(call, patches.addOfCall(patch), index + 1))
    }
    return Exit.isFailure(answer)
      ? Exit.failCause(answer.cause)
      : this.#ask(call, patches.addOfCall(answer.value), index + 1)
  }

  #mergeKept(): Merged {
    if (this.#keptHeaders === undefined) {
      const patches = new CallPatches(this.#entry)
      for (const { patch } of this.#kept) if (patch !== undefined) patches.add(patch)
      this.#keptHeaders = patches.soFar()
    }
    return this.#keptHeaders
  }

  #isDue({ patch, unused }: Slot): boolean {
    return patch === undefined || (!unused && this.#isSpent(patch))
  }

  #isSpent(patch: HeaderPatch): boolean {
    return patch.expiresAt !== undefined && this.#clock.currentTimeMillisUnsafe() >= patch.expiresAt
  }

  #hold(slot: Slot, patch: HeaderPatch): void {
    slot.patch = patch
    slot.unused = this.#isSpent(patch)
    this.#keptHeaders = undefined
  }

  #renewDue(): Effect.Effect<void, HeaderError> {
    return Effect.gen({ self: this }, function* () {
      for (const slot of this.#kept) {
        if (this.#isDue(slot)) yield* this.#succeed(slot, generationOf(slot))
        slot.unused = false
      }
    })
  }

  /** Holds the successor of what the connection holds: one that somebody else got, or a new one. */
  #succeed(slot: Slot, generation: number): Effect.Effect<void, HeaderError> {
    const latest = this.#answers.latest(slot.source)
    if (latest === undefined || latest.generation <= generation || this.#isSpent(latest)) {
      return Effect.map(this.#answers.renew(slot.source), (patch) => this.#hold(slot, patch))
    }
    this.#hold(slot, latest)
    return Effect.void
  }
}

/** What the sources said for one call, in the order they were asked. */
class CallPatches {
  /** What the call was sent with before. */
  readonly before: ResolvedHeaders | undefined
  readonly #entry: ServerEntry
  #merged: Merged
  /** Not merged yet. */
  #pending: Array<HeaderPatch> = []
  /** Whether a source that is asked for each call said something. */
  ofCall = false

  constructor(entry: ServerEntry, before?: ResolvedHeaders) {
    this.#entry = entry
    this.before = before
    this.#merged = NOTHING
  }

  add(patch: HeaderPatch): void {
    this.#pending.push(patch)
  }

  addOfCall(patch: HeaderPatch): this {
    if (patch.set.length + patch.remove.length + patch.omitted.length === 0) return this
    this.ofCall = true
    this.#pending.push(patch)
    return this
  }

  /** Takes what was merged before for what was added so far. */
  startFrom(merged: Merged): void {
    this.#merged = merged
    this.#pending = []
  }

  readonly soFar: SoFar = () => {
    if (this.#pending.length === 0 || Exit.isFailure(this.#merged)) return this.#merged
    this.#merged = Result.match(this.#merged.value.and(this.#pending), {
      onSuccess: Exit.succeed,
      onFailure: (reason) => Exit.fail(new HeaderError({ server: this.#entry.name, reason }))
    })
    this.#pending = []
    return this.#merged
  }
}

const NOTHING: Merged = Exit.succeed(none)

const generationOf = ({ patch }: Slot): number => patch?.generation ?? 0

/** Low to high, but what stands back comes after all that rank below hook. */
const inOrderOfAsking = (sources: ReadonlyArray<HeaderSource>): ReadonlyArray<HeaderSource> => [
  ...sources.filter((source) => source.rank < Rank.hook && source.standsBackFor === undefined),
  ...sources.filter((source) => source.standsBackFor !== undefined),
  ...sources.filter((source) => source.rank >= Rank.hook && source.standsBackFor === undefined)
]

/**
 * The sources to ask about a refusal, in order (design rule 6): the one whose Authorization was sent and no other;
 * where none was sent, those that take challenges, highest first, and last what stands back. A 403 that is about scope
 * concerns what can sign in, any other a helper's credential alone.
 */
const challenged = (
  slots: ReadonlyArray<Slot>,
  sent: ResolvedHeaders,
  response: ChallengeResponse
): ReadonlyArray<Slot> => {
  const winner = sent.get("authorization")?.source
  const candidates = slots
    .filter(({ source }) => source.challenge !== undefined && (winner === undefined || source.id === winner))
    .toReversed()
  if (response.status === 401) {
    return [
      ...candidates.filter(({ source }) => source.standsBackFor === undefined),
      ...candidates.filter(({ source }) => source.standsBackFor !== undefined)
    ]
  }
  if (response.status !== 403) return []
  return /\binsufficient_scope\b/.test(response.wwwAuthenticate ?? "")
    ? candidates.filter(({ source }) => source.signIn !== undefined)
    : candidates.filter(({ source }) => source.id === "helper")
}
