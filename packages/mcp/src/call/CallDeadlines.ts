/**
 * When the time of a call is over.
 *
 * A fiber that sleeps for each call would cost as much as the rest of making it. Calls that have the same time end in
 * the order in which they began, so one fiber sleeps for all of them, until the first of those that are still under way
 * is due; where none is, nothing sleeps.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** A call that is under way. */
interface Deadline {
  /** Nanoseconds of the monotonic clock. */
  readonly at: bigint
  readonly over: () => void
}

/** The calls that have one and the same time, by one clock, the first that is due first. */
class Queue {
  readonly #clock: Clock.Clock
  readonly #duration: Duration.Duration
  readonly #first: Effect.Effect<void>
  readonly #onEmpty: () => void
  readonly #waiting = new Set<Deadline>()
  #sleeper: Fiber.Fiber<void> | undefined

  constructor(clock: Clock.Clock, milliseconds: number, onEmpty: () => void) {
    this.#clock = clock
    this.#duration = Duration.millis(milliseconds)
    // Not all clocks wait where there is nothing to wait for, and no call ends before it has begun.
    const wait = milliseconds > 0 ? clock.sleep(this.#duration) : Effect.yieldNow
    this.#first = Effect.flatMap(wait, () => this.#wake())
    this.#onEmpty = onEmpty
  }

  add(over: () => void): () => void {
    const at = this.#clock.monotonicTimeNanosUnsafe() + Duration.toNanosUnsafe(this.#duration)
    const deadline = { at, over }
    this.#waiting.add(deadline)
    this.#sleeper ??= Effect.runFork(this.#first)
    return () => this.#remove(deadline)
  }

  #remove(deadline: Deadline): void {
    if (!this.#waiting.delete(deadline) || this.#waiting.size > 0) return
    this.#onEmpty()
    this.#sleeper?.interruptUnsafe()
  }

  /** Ends those that are due, and sleeps on for the others. */
  #wake(): Effect.Effect<void> {
    for (const deadline of this.#waiting) {
      const left = deadline.at - this.#clock.monotonicTimeNanosUnsafe()
      if (left > 0n) return Effect.flatMap(this.#clock.sleep(Duration.nanos(left)), () => this.#wake())
      this.#waiting.delete(deadline)
      deadline.over()
    }
    this.#onEmpty()
    return Effect.void
  }
}

const queues = new WeakMap<Clock.Clock, Map<number, Queue>>()

/**
 * Runs `over` once so many milliseconds have passed by this clock, unless what it returns is called before.
 *
 * Time that is not finite is never over.
 */
export const start = (clock: Clock.Clock, milliseconds: number, over: () => void): (() => void) => {
  if (!Number.isFinite(milliseconds)) return () => {}
  const byTime = queues.get(clock) ?? new Map<number, Queue>()
  queues.set(clock, byTime)
  const queue =
    byTime.get(milliseconds) ??
    new Queue(clock, milliseconds, () => {
      if (byTime.get(milliseconds) === queue) byTime.delete(milliseconds)
    })
  byTime.set(milliseconds, queue)
  return queue.add(over)
}
