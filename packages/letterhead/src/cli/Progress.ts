/** A line on standard error while something takes longer than a second; gone when it is done. */
import * as Effect from "effect/Effect"
import { Output } from "./Output.ts"

/** Milliseconds before the line is shown, and between two of its updates. */
export const PATIENCE = 1_000

/** Says what is waited for, and for how long, where that lasts. */
export const withProgress =
  (what: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Output> =>
    Effect.flatMap(Output, (output) =>
      Effect.raceFirst(effect, show(output, what)).pipe(Effect.ensuring(output.clearProgress))
    )

const show = (output: Output["Service"], what: string): Effect.Effect<never> => {
  let seconds = 0
  return Effect.sleep(PATIENCE).pipe(
    Effect.andThen(Effect.suspend(() => output.progress(`… ${what} (${++seconds} s)`))),
    Effect.forever
  )
}
