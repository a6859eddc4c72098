/**
 * When the time of a call is over.
 *
 * A fiber that sleeps for each call would cost as much as the rest of making it. One fiber sleeps for all calls by a
 * clock, until the first of those that are under way is due; where none is, nothing sleeps.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { OpenSlots, type Slot } from "../OpenSlots.ts"

/** A call that is under way. */
interface Deadline {
  /** Milliseconds of the monotonic clock. */
  readonly at: number
  readonly over: () => void
}

class ClockDeadlines {
  readonly #clock: Clock.Clock
  readonly #open = new OpenSlots<Deadline>()
  #sleeper: { readonly until: number; readonly fiber: Fiber.Fiber<void> } | undefined

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  start(milliseconds: number, over: () => void): () => void {
    const at = this.#now() + milliseconds
    const slot = this.#open.enter({ at, over })
    this.#sleepUntil(at)
    return () => this.#leave(slot)
  }

  #leave(slot: Slot<Deadline>): void {
    if (this.#open.leave(slot) && this.#open.size === 0) this.#rest()
  }

  #rest(): void {
    this.#sleeper?.fiber.interruptUnsafe()
    this.#sleeper = undefined
  }

  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  #sleepUntil(at: number): void {
    if (this.#sleeper !== undefined && this.#sleeper.until <= at) return
    this.#rest()
    const left = at - this.#now()
    // Not all clocks wait where there is nothing to wait for, and no call ends before it has begun.
    const wait = left > 0 ? this.#clock.sleep(Duration.millis(left)) : Effect.yieldNow
    this.#sleeper = { until: at, fiber: Effect.runFork(Effect.map(wait, () => this.#wake())) }
  }

  /** Ends those that are due, and sleeps on for the others. */
  #wake(): void {
    this.#sleeper = undefined
    const now = this.#now()
    for (const slot of this.#open.slots()) if (slot.value.at <= now && this.#open.leave(slot)) slot.value.over()
    // Only now: whoever is told may end others with it, and nobody sleeps for those.
    for (const { value } of this.#open.slots()) this.#sleepUntil(value.at)
  }
}

const deadlines = new WeakMap<Clock.Clock, ClockDeadlines>()

/**
 * Runs `over` once so many milliseconds have passed by this clock, unless what it returns is called before.
 *
 * Time that is not finite is never over.
 */
export const start = (clock: Clock.Clock, milliseconds: number, over: () => void): (() => void) => {
  if (!Number.isFinite(milliseconds)) return () => {}
  const known = deadlines.get(clock)
  if (known !== undefined) return known.start(milliseconds, over)
  const made = new ClockDeadlines(clock)
  deadlines.set(clock, made)
  return made.start(milliseconds, over)
}
