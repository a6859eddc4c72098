/**
 * Runs helpers as processes: what stands behind {@link HelperRunner} in a real program.
 *
 * Guarantees: one run per server at a time, shared by all who wait for it, whether it succeeds or fails; at most
 * {@link CONCURRENCY} processes at once, each with its timeout counted from its own start; a run ends when nobody waits
 * for it any more; a helper that failed is not started again at once, except by `explicit`. Answers come within the
 * timeout and 1.5 s; what is left of a process is cleared away after the answer, and before the next run of that server.
 *
 * Refuses to start anything that the trust gate does not permit, and to use the output of a run during which a covered
 * file changed. Nothing a helper printed is ever in an error or above debug level in a log.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { HeaderError, HeaderErrorReason } from "../headers/HeaderError.ts"
import type { Helper, ServerEntry } from "../server/ServerEntry.ts"
import { countHelperRun } from "../Telemetry.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import * as BackOff from "./BackOff.ts"
import type { HelperOutput } from "./HelperOutput.ts"
import * as HelperRun from "./HelperRun.ts"
import { CONCURRENCY, HelperRunner, type RunOptions } from "./HelperRunner.ts"

/** Milliseconds between two runs where the output of the first had already expired. */
export const EXPIRED_PAUSE = 1_000

/** What is known of one server: the run under way, and how the last ones went. */
interface Server {
  flight: Flight | undefined
  /** Failures in a row. */
  failures: number
  /** The last failure; what callers get until `notBefore`. */
  error: HeaderError | undefined
  /** Monotonic nanoseconds before which nothing is started, since the wall clock may be set back; 0 for none. */
  notBefore: bigint
}

/** One run, with its retries, and those who wait for it. */
interface Flight {
  readonly answer: Deferred.Deferred<HelperOutput, HeaderError>
  /** Done when nothing of the run is left. */
  readonly ended: Deferred.Deferred<void>
  /** How many callers wait for the answer. */
  waiting: number
  /** Whether callers may still join: there is no answer yet, and it was not given up. */
  open: boolean
  fiber: Fiber.Fiber<void> | undefined
}

export const make: Effect.Effect<HelperRunner["Service"], never, HelperRun.Services | Scope.Scope> = Effect.gen(
  function* () {
    const scope = yield* Effect.scope
    const built = yield* Effect.context<HelperRun.Services>()
    const own = Context.pick(ChildProcessSpawner, FileSystem.FileSystem, Path.Path, TrustGate)(built)
    const slots = yield* Semaphore.make(CONCURRENCY)
    // By all that an entry says: one that differs in anything may be told something else, and may not be approved.
    const servers = MutableHashMap.empty<readonly [Helper, ServerEntry], Server>()

    const serverOf = (helper: Helper, entry: ServerEntry): Server => {
      const key = [helper, entry] as const
      const known = Option.getOrUndefined(MutableHashMap.get(servers, key))
      if (known !== undefined) return known
      const server: Server = { flight: undefined, failures: 0, error: undefined, notBefore: 0n }
      MutableHashMap.set(servers, key, server)
      return server
    }

    /** Runs until there is an answer; each process is cleared away before its slot is free again. */
    const fly = Effect.fnUntraced(function* (flight: Flight, server: Server, helper: Helper, entry: ServerEntry) {
      for (let attempts = 0; ; attempts++) {
        const again = yield* Effect.exit(Effect.onExit(HelperRun.once(helper, entry), countHelperRun)).pipe(
          Effect.flatMap((exit) =>
            attempts < helper.retry.times && isWorthRetrying(exit)
              ? Effect.succeed(true)
              : Effect.as(settle(flight, server, entry, exit), false)
          ),
          Effect.scoped,
          Semaphore.withPermit(slots)
        )
        if (!again) return
        yield* Effect.sleep(helper.retry.delay * 2 ** attempts)
      }
    })

    const start = (server: Server, helper: Helper, entry: ServerEntry, pause: number): Effect.Effect<Flight> =>
      Effect.suspend(() => {
        const flight = makeFlight()
        server.flight = flight
        const run = fly(flight, server, helper, entry)
        return Effect.context().pipe(
          // The caller's clock, loggers and environment, and the services this layer was built with.
          Effect.map((caller) => Context.merge(Context.merge(built, caller), own)),
          Effect.flatMap((context) =>
            Effect.forkIn(Effect.provideContext(pause > 0 ? Effect.delay(run, pause) : run, context), scope, {
              uninterruptible: false
            })
          ),
          Effect.map((fiber) => {
            flight.fiber = fiber
            fiber.addObserver((exit) => {
              land(flight, server, exit)
              // Nothing to remember: a runtime that makes an entry for each call would never see it again.
              if (server.notBefore === 0n) MutableHashMap.remove(servers, [helper, entry] as const)
            })
            return flight
          })
        )
      })

    const run = (helper: Helper, entry: ServerEntry, options: RunOptions, clock: Clock.Clock) =>
      Effect.uninterruptibleMask((restore) => {
        const enter: Effect.Effect<HelperOutput, HeaderError> = Effect.suspend(() => {
          const server = serverOf(helper, entry)
          const { flight } = server
          if (flight?.open === true) return waitFor(flight, restore)
          if (flight !== undefined) return Effect.andThen(restore(Deferred.await(flight.ended)), enter)
          const pause =
            options.explicit === true ? 0 : Number(server.notBefore - clock.monotonicTimeNanosUnsafe()) / 1e6
          if (pause > 0 && server.error !== undefined) return Effect.fail(server.error)
          return Effect.flatMap(start(server, helper, entry, pause), (started) => waitFor(started, restore))
        })
        return enter
      })

    return {
      run: Effect.fn("HelperRunner.run")(function* (helper, entry, options = {}) {
        return yield* run(helper, entry, options, yield* Clock.Clock)
      })
    }
  }
)

export const layer: Layer.Layer<HelperRunner, never, HelperRun.Services> = Layer.effect(HelperRunner, make)

const makeFlight = (): Flight => ({
  answer: Deferred.makeUnsafe(),
  ended: Deferred.makeUnsafe(),
  waiting: 0,
  open: true,
  fiber: undefined
})

/** Waits for the answer; the last one to stop waiting ends the run. */
const waitFor = (
  flight: Flight,
  restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Effect.Effect<HelperOutput, HeaderError> =>
  Effect.suspend(() => {
    flight.waiting++
    return Effect.onExit(restore(Deferred.await(flight.answer)), () =>
      Effect.sync(() => {
        flight.waiting--
        if (flight.waiting > 0 || !flight.open) return
        flight.open = false
        flight.fiber?.interruptUnsafe()
      })
    )
  })

/** Notes how the run went and gives all who wait their answer. */
const settle = Effect.fnUntraced(function* (
  flight: Flight,
  server: Server,
  entry: ServerEntry,
  exit: Exit.Exit<HelperOutput, HeaderError>
) {
  const clock = yield* Clock.Clock
  const error = errorOf(exit)
  server.failures = error === undefined ? 0 : server.failures + 1
  server.error = error
  const expired = Exit.isSuccess(exit) && exit.value.expired
  const pause = error !== undefined ? BackOff.delay(server.failures, yield* Random.next) : expired ? EXPIRED_PAUSE : 0
  server.notBefore = pause === 0 ? 0n : clock.monotonicTimeNanosUnsafe() + BigInt(Math.round(pause * 1e6))
  if (expired) {
    yield* Effect.logWarning(
      `server "${entry.name}": the helper's "expires" lies in the past; its headers are used once and not kept. ` +
        `Check the helper, and the clocks of this machine and of whoever issues the headers`
    )
  }
  flight.open = false
  yield* Deferred.done(flight.answer, exit)
})

/** Nothing of the run is left; whoever still waits learns that it was interrupted or died. */
const land = (flight: Flight, server: Server, exit: Exit.Exit<void>): void => {
  flight.open = false
  server.flight = undefined
  Deferred.doneUnsafe(flight.answer, Exit.isFailure(exit) ? Exit.failCause(exit.cause) : Exit.interrupt())
  Deferred.doneUnsafe(flight.ended, Exit.void)
}

/** A failure that says something about the helper; those about trust or the entry's own text start nothing. */
const errorOf = (exit: Exit.Exit<HelperOutput, HeaderError>): HeaderError | undefined => {
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  return error !== undefined && NOTHING_STARTED.has(error.reason._tag) ? undefined : error
}

const isWorthRetrying = (exit: Exit.Exit<HelperOutput, HeaderError>): boolean => {
  const error = errorOf(exit)
  return error !== undefined && !LASTING.has(error.reason._tag)
}

const NOTHING_STARTED: ReadonlySet<HeaderErrorReason["_tag"]> = new Set([
  "NotTrusted",
  "TrustRefused",
  "TrustStoreFailed",
  "VariableMissing",
  "FileUnreadable"
])

/** A second attempt would end as the first. */
const LASTING: ReadonlySet<HeaderErrorReason["_tag"]> = new Set(["NotFound", "NotExecutable", "FileChanged"])
