/**
 * What can be counted on the way of headers, as effect's metrics: read them with `Metric.snapshot`, or have an exporter
 * read them.
 *
 * Their attributes are outcomes, status codes and decisions. None names a header, a server or a principal, and none
 * holds a value: metrics go to people who may not see what is sent.
 *
 * Running a helper and answering a refusal are counted always, being rare and slow anyway. Resolving happens for each
 * request and is measured only where {@link MeasureResolving} says so.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type { HeaderError } from "./headers/HeaderError.ts"
import { isSettled } from "./Settled.ts"

/** Runs of helpers by `outcome`: `success`, the tag of the error's reason, `interrupted` or `died`. */
export const helperRuns: Metric.Counter<number> = Metric.counter("letterhead_helper_runs", {
  description: "runs of helpers",
  incremental: true
})

/** Refusals by `status` and by `decision`: `retry`, `give up`, or `failed` where what to do could not be told. */
export const challenges: Metric.Counter<number> = Metric.counter("letterhead_challenges", {
  description: "refusals of what was sent",
  incremental: true
})

/** Seconds that it took to put the headers of a request together, whether that succeeded or not. */
export const resolveSeconds: Metric.Histogram<number> = Metric.histogram("letterhead_resolve_seconds", {
  description: "seconds to resolve the headers of a request",
  // From a microsecond, for what is at hand, to the minutes that a helper may take.
  boundaries: Metric.exponentialBoundaries({ start: 1e-6, factor: 4, count: 15 })
})

/** Whether `letterhead_resolve_seconds` is measured; looked at where the layers are built. Default: no. */
export const MeasureResolving: Context.Reference<boolean> = Context.Reference<boolean>(
  "@letterhead/core/Telemetry/MeasureResolving",
  { defaultValue: () => false }
)

/** Counts a run of a helper by how it ended. */
export const countHelperRun = (exit: Exit.Exit<unknown, HeaderError>): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(helperRuns, { outcome: outcomeOf(exit) }), 1)

/** Counts a refusal by what was decided about it. */
export const countChallenge = (status: number, exit: Exit.Exit<"retry" | "give up", unknown>): Effect.Effect<void> => {
  const decision = Exit.isSuccess(exit) ? exit.value : "failed"
  return Metric.update(Metric.withAttributes(challenges, { status: String(status), decision }), 1)
}

/** Does what `resolve` does and measures it; what is settled stays so. */
export const measured = <A, E>(
  resolve: () => Effect.Effect<A, E>,
  context: Context.Context<never>
): Effect.Effect<A, E> => {
  const clock = Context.get(context, Clock.Clock)
  const begin = clock.monotonicTimeNanosUnsafe()
  const note = () => resolveSeconds.updateUnsafe(Number(clock.monotonicTimeNanosUnsafe() - begin) / 1e9, context)
  const resolving = resolve()
  if (!isSettled(resolving)) return Effect.ensuring(resolving, Effect.sync(note))
  note()
  return resolving
}

const outcomeOf = (exit: Exit.Exit<unknown, HeaderError>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error !== undefined) return error.reason._tag
  return Cause.hasInterrupts(exit.cause) ? "interrupted" : "died"
}
