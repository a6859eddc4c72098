/**
 * The sources of one connection: what each answered, and what comes of that for a call.
 *
 * Sources with lifetime `connection` are asked at connect and reconnect and keep their answers; what these come to is
 * merged once. A call asks the others and merges what they add. As long as all of them answer at once, so does
 * {@link ConnectionSources.resolve}; from the first that has to be awaited, an effect does the rest.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { CallContext } from "./call/CallContext.ts"
import { HeaderError } from "./headers/HeaderError.ts"
import type { HeaderPatch } from "./headers/HeaderPatch.ts"
import { none, type ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import { isSettled } from "./Settled.ts"
import type { ChallengeResponse, HeaderSource, SoFar } from "./sources/HeaderSource.ts"

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
  /** Low to high. */
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
    this.#slots = options.sources
      .filter((source) => source.applies?.(options.entry) !== false)
      .map((source) => ({ source, patch: undefined, unused: false }))
    this.#kept = this.#slots.filter(({ source }) => source.lifetime === "connection")
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
  resolve(call: CallContext): Effect.Effect<ResolvedHeaders, HeaderError> {
    try {
      const due = this.#kept.some((slot) => this.#isDue(slot))
      if (due) return Effect.flatMap(this.#renewDue(), () => this.#ask(call, new CallPatches(this.#entry), 0))
      for (const slot of this.#kept) slot.unused = false
      return this.#ask(call, new CallPatches(this.#entry), 0)
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

  /** Asks for a call from a place in the order on; `patches` are those of the sources below it. */
  #ask(call: CallContext, patches: CallPatches, index: number): Effect.Effect<ResolvedHeaders, HeaderError> {
    const slot = this.#slots[index]
    if (slot === undefined) return patches.soFar()
    if (slot.patch !== undefined) {
      patches.add(slot.patch)
      // Nothing but what is kept: that was merged before.
      if (index === this.#lastKept && !patches.ofCall) patches.startFrom(this.#mergeKept())
      return this.#ask(call, patches, index + 1)
    }
    const answer = slot.source.resolve(this.#entry, call, patches.soFar)
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

/** What the sources said for one call, low to high. */
class CallPatches {
  readonly #entry: ServerEntry
  #merged: Merged
  /** Not merged yet. */
  #pending: Array<HeaderPatch> = []
  /** Whether a source that is asked for each call said something. */
  ofCall = false

  constructor(entry: ServerEntry) {
    this.#entry = entry
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

/**
 * The sources to ask about a refusal, in order (design rule 6): the one whose Authorization was sent and no other;
 * where none was sent, those that take challenges, highest first. A 403 concerns a helper's credential alone, and
 * only where it is not about scope.
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
  if (response.status === 401) return candidates
  if (response.status !== 403 || /\binsufficient_scope\b/.test(response.wwwAuthenticate ?? "")) return []
  return candidates.filter(({ source }) => source.id === "helper")
}
