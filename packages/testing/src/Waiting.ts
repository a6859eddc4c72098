/** Waiting in a test for what happens elsewhere: at a server, in a process, on a disk. */
import * as Effect from "effect/Effect"

/** Milliseconds; many, since machines are busy at times. */
const LIMIT = 30_000
/** Milliseconds between two looks. */
const PAUSE = 10

/** Waits until it is so, by the real clock whatever that of the test is. Dies after half a minute. */
export const until = <R>(condition: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.suspend(() => waiting(condition, performance.now() + LIMIT))

const waiting = <R>(condition: Effect.Effect<boolean, never, R>, end: number): Effect.Effect<void, never, R> =>
  Effect.flatMap(condition, (holds) => {
    if (holds) return Effect.void
    return performance.now() < end
      ? Effect.flatMap(pause, () => waiting(condition, end))
      : Effect.die(new Error("it did not become so in half a minute"))
  })

const pause = Effect.callback<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), PAUSE)
  return Effect.sync(() => clearTimeout(timer))
})
