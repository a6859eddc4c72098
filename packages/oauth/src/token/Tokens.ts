/**
 * The tokens of those who are signed in, each as new as it has to be.
 *
 * Guarantees: a refresh token is used by one at a time, in this process and across processes, since the request and the
 * saving of its answer happen under the lock of the secret store, after another look at what is stored; all who wait in
 * this process share one request; what was issued is not lost to an interruption between the two. A token that still
 * lives is used while its successor is fetched, so nobody waits for a lock whose holder died, unless the token has
 * expired too. A refusal of the refresh token is final only where the store holds nothing newer (fault F63); a failure
 * that may pass keeps the sign-in (fault F62), and is not tried again for {@link RETRY_AFTER} while the token lives. What
 * cannot be saved is used until this process ends, with a warning of the store (fault F66).
 *
 * What another process stores is seen when a token is due or was refused, and where none is held.
 */
import { HeaderError, type HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as TokenRecord from "./TokenRecord.ts"

/** The refresh token is of no use any more, whoever has it. The text is safe to be shown. */
export class SignInOver extends Data.TaggedError("SignInOver")<{ readonly description: string }> {
  override get message(): string {
    return this.description
  }
}

/** Exchanges the refresh token of a record. */
export type Refresh = (
  record: TokenRecord.TokenRecord
) => Effect.Effect<TokenRecord.IssuedTokens, HeaderErrorReason | SignInOver>

/** What this process knows of one sign-in. */
export interface Held {
  /** `undefined` where the store was not looked into yet. */
  readonly record: Option.Option<TokenRecord.StoredRecord> | undefined
  /** Grows with each access token. */
  readonly generation: number
}

export interface Tokens {
  /** What is known, without asking anybody. */
  readonly held: (key: SecretKey) => Held
  /** Looks into the store. */
  readonly load: (key: SecretKey) => Effect.Effect<Option.Option<TokenRecord.StoredRecord>, HeaderError>
  /** Whether a token that is due may be renewed now: nobody does already, and the last failure is long enough ago. */
  readonly mayRenew: (key: SecretKey) => boolean
  /**
   * Whether the token of a generation, which was refused, may be renewed for that: not where it came less than
   * {@link RETRY_AFTER} ago in the place of one that was refused as well, and is not due.
   */
  readonly mayReplace: (key: SecretKey, generation: number) => boolean
  /** Renews in the background: whoever has a token that lives does not wait. */
  readonly renewSoon: (key: SecretKey, refresh: Refresh) => Effect.Effect<void>
  /** The successor of the access token of a generation: one that somebody else stored, or a new one. */
  readonly renew: (
    key: SecretKey,
    generation: number,
    refresh: Refresh
  ) => Effect.Effect<Option.Option<TokenRecord.StoredRecord>, HeaderError>
  /** Stores what a sign-in led to, or what `change` makes of a record. */
  readonly update: (
    key: SecretKey,
    change: (current: Option.Option<TokenRecord.StoredRecord>) => Option.Option<TokenRecord.StoredRecord>
  ) => Effect.Effect<void, HeaderError>
}

/**
 * Milliseconds after a failure to renew in which a token that still lives is not renewed again, and for which a token is
 * kept that came in the place of a refused one and is refused too.
 */
export const RETRY_AFTER = 10_000

interface State {
  record: Option.Option<TokenRecord.StoredRecord> | undefined
  generation: number
  pending: Deferred.Deferred<Option.Option<TokenRecord.StoredRecord>, HeaderError> | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Whether the refresh token may be spent already: then its successor has to be stored. */
  exchanging: boolean
  /** Epoch milliseconds. */
  failedAt: number
  /** Whether the next token comes in the place of one that was refused. */
  refused: boolean
  /** Epoch milliseconds at which the token came, where that was in the place of one that was refused. */
  replacedAt: number
}

/** A renewal that waits for its turn ends with the scope; the scope waits for one that asked the authorization server. */
export const make: Effect.Effect<Tokens, never, SecretStore | Scope.Scope> = Effect.gen(function* () {
  const store = yield* SecretStore
  const clock = yield* Clock.Clock
  const states = RecentlyUsed.make<State>({
    isIdle: ({ fiber, pending }) => pending === undefined && fiber === undefined
  })
  /** By the objects that name them: who has one of these keeps its state. */
  const byKey = new WeakMap<SecretKey, { readonly name: string; readonly state: State }>()
  // Of all: who holds the generation of a state that was forgotten takes it for no other's.
  let generations = 0
  yield* Effect.addFinalizer(() =>
    Effect.forEach(
      [...states.values()],
      ({ exchanging, fiber }) =>
        fiber === undefined ? Effect.void : exchanging ? Fiber.await(fiber) : Fiber.interrupt(fiber),
      { concurrency: "unbounded", discard: true }
    )
  )

  const stateOf = (key: SecretKey): State => {
    const own = byKey.get(key)
    const name = own?.name ?? JSON.stringify([key.principal, key.origin, key.server, key.field])
    const known = states.get(name)
    if (own !== undefined) {
      if (known === undefined) states.set(name, own.state)
      return own.state
    }
    const state: State = known ?? {
      record: undefined,
      generation: 0,
      pending: undefined,
      fiber: undefined,
      exchanging: false,
      failedAt: -Infinity,
      refused: false,
      replacedAt: -Infinity
    }
    if (known === undefined) states.set(name, state)
    byKey.set(key, { name, state })
    return state
  }

  const hold = (state: State, record: Option.Option<TokenRecord.StoredRecord>): void => {
    if (accessToken(state.record ?? Option.none()) !== accessToken(record)) {
      state.generation = generations += 1
      state.replacedAt = state.refused ? clock.currentTimeMillisUnsafe() : -Infinity
      state.refused = false
    }
    state.record = record
  }

  const load = Effect.fnUntraced(function* (key: SecretKey) {
    const secrets = yield* store.list
    // The list costs no look into a keychain: most servers have no sign-in, and their calls do not wait for one.
    const exists = secrets.some(
      ({ field, origin, principal, server }) =>
        field === key.field && origin === key.origin && principal === key.principal && server === key.server
    )
    const record = exists ? yield* Effect.flatMap(store.get(key), TokenRecord.decode) : Option.none()
    hold(stateOf(key), record)
    return record
  })

  const exchange = (key: SecretKey, current: TokenRecord.TokenRecord, refresh: Refresh) =>
    refresh(current).pipe(
      Effect.map((tokens) => TokenRecord.issued(tokens, current, clock.currentTimeMillisUnsafe())),
      Effect.catchTag("SignInOver", ({ description }) =>
        Effect.map(Effect.flatMap(store.get(key), TokenRecord.decode), (latest): TokenRecord.StoredRecord =>
          accessToken(latest) !== undefined && accessToken(latest) !== Redacted.value(current.accessToken)
            ? Option.getOrElse(latest, () => current)
            : TokenRecord.ended(current, description)
        )
      ),
      Effect.mapError((error) =>
        error._tag === "HeaderError" ? error : new HeaderError({ server: key.server, source: "oauth", reason: error })
      )
    )

  const renewal = (key: SecretKey, refresh: Refresh) =>
    Effect.suspend(() => {
      const before = accessToken(stateOf(key).record ?? Option.none())
      return store.modify(key, (value) =>
        Effect.gen(function* () {
          const stored = yield* TokenRecord.decode(value)
          const current = Option.getOrUndefined(stored)
          const isNew = current?._tag === "SignedIn" && Redacted.value(current.accessToken) !== before
          if (current?._tag !== "SignedIn" || current.refreshToken === undefined) return [stored, value] as const
          if (isNew && !isDue(current, clock.currentTimeMillisUnsafe())) return [stored, value] as const
          stateOf(key).exchanging = true
          const next = yield* exchange(key, current, refresh)
          return [Option.some(next), Option.some(TokenRecord.encode(next))] as const
        })
      )
    })

  const start = Effect.fnUntraced(function* (key: SecretKey, refresh: Refresh) {
    const state = stateOf(key)
    if (state.pending !== undefined) return state.pending
    const pending = Deferred.makeUnsafe<Option.Option<TokenRecord.StoredRecord>, HeaderError>()
    state.pending = pending
    const fiber = yield* renewal(key, refresh).pipe(
      Effect.tap((record) => Effect.sync(() => hold(state, record))),
      Effect.onExit((exit) => {
        state.pending = undefined
        state.fiber = undefined
        state.exchanging = false
        state.failedAt = exit._tag === "Failure" ? clock.currentTimeMillisUnsafe() : -Infinity
        return Deferred.done(pending, exit)
      }),
      // Whoever asked first may go; the others still wait, and a spent refresh token has to be followed by its successor.
      Effect.forkDetach
    )
    if (state.pending === pending) state.fiber = fiber
    return pending
  }, Effect.uninterruptible)

  return {
    held: stateOf,
    load,
    mayRenew: (key) => {
      const { failedAt, pending } = stateOf(key)
      return pending === undefined && clock.currentTimeMillisUnsafe() - failedAt >= RETRY_AFTER
    },
    mayReplace: (key, generation) => {
      const state = stateOf(key)
      if (state.generation !== generation) return true
      const now = clock.currentTimeMillisUnsafe()
      const record = state.record === undefined ? undefined : Option.getOrUndefined(state.record)
      const isOver = record?._tag === "SignedIn" && isDue(record, now)
      if (now - state.replacedAt < RETRY_AFTER && !isOver) return false
      state.refused = true
      return true
    },
    renewSoon: (key, refresh) => Effect.asVoid(start(key, refresh)),
    renew: (key, generation, refresh) =>
      Effect.suspend(() => {
        const state = stateOf(key)
        return state.generation !== generation && state.record !== undefined
          ? Effect.succeed(state.record)
          : Effect.flatMap(start(key, refresh), Deferred.await)
      }),
    update: Effect.fnUntraced(function* (key, change) {
      const record = yield* store.modify(key, (value) =>
        Effect.map(TokenRecord.decode(value), (current) => {
          const next = change(current)
          return [next, Option.map(next, TokenRecord.encode)] as const
        })
      )
      const state = stateOf(key)
      state.failedAt = -Infinity
      state.refused = false
      hold(state, record)
    })
  }
})

/** Whether a token should have a successor. */
export const isDue = (record: TokenRecord.TokenRecord, now: number): boolean =>
  record.renewAt !== undefined && now >= record.renewAt

/** Whether a token is of no use any more. */
export const isExpired = (record: TokenRecord.TokenRecord, now: number): boolean =>
  record.expiresAt !== undefined && now >= record.expiresAt

const accessToken = (record: Option.Option<TokenRecord.StoredRecord>): string | undefined =>
  Option.isSome(record) && record.value._tag === "SignedIn" ? Redacted.value(record.value.accessToken) : undefined
