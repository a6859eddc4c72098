/**
 * A token that can be had again at any time, since nobody has to sign in for it: held in memory, as new as it has to be.
 *
 * All who need one at the same time share one request, which goes on where the first of them is interrupted. A token that
 * lives is used while its successor is fetched; a failure then keeps it, and is not followed by another attempt for
 * {@link RETRY_AFTER}. Where no token lives, a failure is that of all who ask within {@link FAILURE_KEPT}, so that calls
 * which fail do not become as many token requests. A refused token has one successor, however many calls it was refused to;
 * one that came in its place and is refused as well is kept for {@link RETRY_AFTER}: a server that refuses each would cost
 * a token request for each call.
 */
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { RENEWAL_MARGIN, RENEWAL_MARGIN_PART } from "./TokenRecord.ts"
import { RETRY_AFTER } from "./Tokens.ts"

/** Milliseconds for which a failure is told to all who ask. */
export const FAILURE_KEPT = 1_000

/** What a request led to. */
export interface Answered {
  /** Seconds; absent where nobody says. */
  readonly expiresIn?: number
}

export interface Held<A> {
  readonly value: A
  /** Grows with each token, of whatever kind, of one {@link make}. */
  readonly generation: number
  /** Epoch milliseconds; infinite where nobody says. */
  readonly renewAt: number
  /** Epoch milliseconds; infinite where nobody says. */
  readonly expiresAt: number
}

export interface RepeatableToken<A> {
  /** The last that came, whether it lives or not. */
  readonly held: () => Held<A> | undefined
  /** Whether a request is under way. */
  readonly isPending: () => boolean
  /** One that lives and is not due; `undefined` where something has to be done first. */
  readonly settled: () => Held<A> | undefined
  /** One that lives. One that is due is given at once, and renewed behind that. */
  readonly get: Effect.Effect<Held<A>, HeaderError>
  /** The successor of a generation: one that somebody else got, or a new one. What there was stays where that fails. */
  readonly renew: (generation: number | undefined) => Effect.Effect<Held<A>, HeaderError>
  /** The one that is under way, or else the last. */
  readonly latest: Effect.Effect<Held<A> | undefined, HeaderError>
  /** The one of a generation was refused. Whether there is another or can be one: if not, it is used as before. */
  readonly forget: (generation: number | undefined) => boolean
}

/** Makes one from the request for it, which is given the generation to be. Requests under way end with the scope. */
export type Repeat = <A extends Answered>(
  ask: (generation: number) => Effect.Effect<A, HeaderError>
) => RepeatableToken<A>

export const make: Effect.Effect<Repeat, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  let generations = 0
  yield* Effect.addFinalizer(() => Fiber.interruptAll(fibers))

  return <A extends Answered>(ask: (generation: number) => Effect.Effect<A, HeaderError>): RepeatableToken<A> => {
    let held: Held<A> | undefined
    /** Whether the next comes in the place of one that was refused. */
    let refused = false
    /** Epoch milliseconds at which the last came, where that was in the place of one that was refused. */
    let replacedAt = -Infinity
    let pending: Deferred.Deferred<Held<A>, HeaderError> | undefined
    let failure: { readonly exit: Exit.Exit<Held<A>, HeaderError>; readonly at: number } | undefined

    const hold = (value: A, generation: number): Held<A> => {
      const now = clock.currentTimeMillisUnsafe()
      const lifetime = value.expiresIn === undefined ? Infinity : Math.max(0, value.expiresIn) * 1_000
      replacedAt = refused ? now : -Infinity
      refused = false
      const margin = Math.min(RENEWAL_MARGIN, lifetime * RENEWAL_MARGIN_PART)
      held = { value, generation, renewAt: now + lifetime - margin, expiresAt: now + lifetime }
      return held
    }

    const start = Effect.gen(function* () {
      if (pending !== undefined) return pending
      const started = Deferred.makeUnsafe<Held<A>, HeaderError>()
      const generation = (generations += 1)
      pending = started
      const fiber = yield* Effect.suspend(() => ask(generation)).pipe(
        Effect.map((value) => hold(value, generation)),
        Effect.onExit((exit) => {
          pending = undefined
          failure = exit._tag === "Failure" ? { exit, at: clock.currentTimeMillisUnsafe() } : undefined
          return Deferred.done(started, exit)
        }),
        // Whoever asked first may go; the others still wait.
        Effect.forkDetach
      )
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
      return started
    }).pipe(Effect.uninterruptible)

    const next = Effect.suspend(() =>
      pending === undefined && failure !== undefined && clock.currentTimeMillisUnsafe() - failure.at < FAILURE_KEPT
        ? failure.exit
        : Effect.flatMap(start, Deferred.await)
    )

    return {
      held: () => held,
      isPending: () => pending !== undefined,
      settled: () => (held !== undefined && clock.currentTimeMillisUnsafe() < held.renewAt ? held : undefined),
      get: Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        if (held === undefined || now >= held.expiresAt) return next
        const current = held
        const mayRenew = failure === undefined || now - failure.at >= RETRY_AFTER
        return now >= held.renewAt && mayRenew ? Effect.as(start, current) : Effect.succeed(current)
      }),
      renew: (generation) =>
        Effect.suspend(() =>
          held !== undefined && held.generation !== generation && clock.currentTimeMillisUnsafe() < held.expiresAt
            ? Effect.succeed(held)
            : next
        ),
      latest: Effect.suspend(() => (pending === undefined ? Effect.succeed(held) : Deferred.await(pending))),
      forget: (generation) => {
        if (held === undefined || held.generation !== generation) return true
        const now = clock.currentTimeMillisUnsafe()
        if (now - replacedAt < RETRY_AFTER && now < held.renewAt) return false
        held = undefined
        refused = true
        return true
      }
    }
  }
})
