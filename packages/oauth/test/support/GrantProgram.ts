/** Entries whose grant needs no person, and a program in which nobody can be asked. */
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry as entryFixture, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { CANARY } from "./GrantServer.ts"
import { layer } from "./Signing.ts"

/** One program in which nobody can be asked. */
export const program = () => layer({ signIn: layerNever })

/** One that gets its token by client credentials, unless it says otherwise. */
export const entryOf = (url: string, options: EntryOptions = {}) =>
  entryFixture({
    url,
    auth: "oauth",
    ...options,
    oauth: { clientId: "workload", clientSecret: CANARY, grant: { type: "client_credentials" }, ...options.oauth }
  })

/** Why something fails. */
export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

/** Waits until it is so; fails after ten seconds. */
export const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.filterOrFail(Boolean, () => new Error("it did not become so within ten seconds")),
    Effect.retry({ schedule: Schedule.spaced(10), times: 1_000 }),
    Effect.orDie
  )

/** The same, where the clock is a test's. */
export const untilReally = (condition: () => boolean) => TestClock.withLive(until(condition))
