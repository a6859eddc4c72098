/** A HelperRunner over real processes, with a trust gate and an environment of the test's choosing. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { HeaderError, type HeaderErrorReason, NotTrusted } from "@letterhead/core/headers/HeaderError"
import type { HelperOutput } from "@letterhead/core/helper/HelperOutput"
import * as HelperRunner from "@letterhead/core/helper/HelperRunner"
import * as HelperScheduler from "@letterhead/core/helper/HelperScheduler"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type Permit, TrustGate } from "@letterhead/core/trust/TrustGate"

/** Permits everything. */
export const permit: Permit = { passEnv: [], verify: Effect.void }

export const gate = (
  require: (entry: ServerEntry) => Effect.Effect<Permit, HeaderError> = () => Effect.succeed(permit)
): Layer.Layer<TrustGate> => Layer.succeed(TrustGate, { require })

/** Permits nothing. */
export const denying = gate((entry) =>
  Effect.fail(
    new HeaderError({
      reason: new NotTrusted({
        server: entry.name,
        configuration: entry.origin.source,
        digest: "sha256:0",
        subject: ["command: helper"],
        changes: []
      })
    })
  )
)

/** The variables that the helpers of these tests inherit. */
export const variables = { PATH: process.env["PATH"], HOME: "/nonexistent" }

export const runner = (options: { readonly gate?: Layer.Layer<TrustGate>; readonly environment?: Environment } = {}) =>
  Layer.mergeAll(HelperScheduler.layer, Layer.succeed(Environment, { ...variables, ...options.environment })).pipe(
    Layer.provide(options.gate ?? gate()),
    Layer.provideMerge(NodeServices.layer)
  )

/** Runs the entry's helper. */
export const run = (
  entry: ServerEntry,
  options?: HelperRunner.RunOptions
): Effect.Effect<HelperOutput, HeaderError, HelperRunner.HelperRunner> =>
  Effect.flatMap(HelperRunner.HelperRunner, (service) => {
    if (entry.helper === undefined) throw new Error("the entry has no helper")
    return service.run(entry.helper, entry, options)
  })

/** What the helper printed, in plain text. */
export const headers = (entry: ServerEntry, options?: HelperRunner.RunOptions) =>
  Effect.map(run(entry, options), (output) =>
    Object.fromEntries(output.headers.map(([name, value]) => [name, Redacted.value(value)]))
  )

/** Why the helper failed, checked to name the server and the source. */
export const failure = (entry: ServerEntry, options?: HelperRunner.RunOptions) =>
  Effect.flatMap(Effect.flip(run(entry, options)), (error): Effect.Effect<HeaderErrorReason> =>
    error.server === entry.name && error.source === "helper"
      ? Effect.succeed(error.reason)
      : Effect.die(new Error("an error that does not say whose it is"))
  )

/** How many milliseconds an effect takes, by the real monotonic clock. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = performance.now()
    const value = yield* effect
    return { value, elapsed: performance.now() - before }
  })

/** Asks again until it is so, for at most fifteen seconds; for what happens after an answer, such as a kill. */
export const eventually = <R>(condition: Effect.Effect<boolean, never, R>): Effect.Effect<boolean, never, R> =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < 750; attempt++) {
      if (yield* condition) return true
      yield* Effect.sleep(20)
    }
    return false
  }).pipe(Effect.provideService(Clock.Clock, realClock))

/** Everything that is logged at any level while `effect` runs, as text. */
export const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    const reasons = cause.reasons.length === 0 ? "" : Cause.pretty(cause)
    lines.push([logLevel, ...[message].flat().map(String), reasons].join(" "))
  })
  return effect.pipe(
    Effect.map((value) => ({ value, lines })),
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "All")
  )
}

/** The error of an exit, or `undefined`. */
export const errorOf = <A, E>(exit: Exit.Exit<A, E>): E | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined

const realClock = Effect.runSync(Effect.provideService(Clock.Clock, Clock.Clock, Clock.Clock.defaultValue()))
