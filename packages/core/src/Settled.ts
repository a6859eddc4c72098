/**
 * Effects that have their answer already, so that nobody has to run them.
 *
 * An `Exit` is an effect too. Where a source or a hook gives one, its answer is read on the spot: no fiber is started
 * for it, no timeout put around it. Whatever else it gives is run.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Whether an effect is its own outcome, success or failure. */
export const isSettled = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Exit.Exit<A, E> => Exit.isExit(effect)
