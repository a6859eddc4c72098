/** The way to the keychain: opened when it is needed, given up where it fails, and tried again after a while. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Keychain, type KeychainFailed, type KeychainOptions, open } from "./Keychain.ts"

/** Milliseconds for which a keychain that failed is not asked again. */
export const RETRY_AFTER = 60_000

export interface KeychainConnection {
  /** The answer of the keychain; none where it cannot be used, which is said the first time. */
  readonly use: <A>(ask: (keychain: Keychain) => Effect.Effect<A, KeychainFailed>) => Effect.Effect<Option.Option<A>>
}

type State =
  | { readonly _tag: "Unopened" }
  | { readonly _tag: "Open"; readonly keychain: Keychain; readonly scope: Scope.Closeable }
  | { readonly _tag: "Failed"; readonly until: number }

/** `directory` is where secrets are kept instead. */
export const make = Effect.fnUntraced(function* (
  options: KeychainOptions,
  directory: string
): Effect.fn.Return<KeychainConnection, never, Scope.Scope> {
  const semaphore = yield* Semaphore.make(1)
  let state: State = { _tag: "Unopened" }
  let announced = false

  const giveUp = Effect.fnUntraced(function* (failure: KeychainFailed) {
    if (state._tag === "Open") yield* Scope.close(state.scope, Exit.void)
    state = { _tag: "Failed", until: (yield* Clock.currentTimeMillis) + RETRY_AFTER }
    if (announced) return
    announced = true
    yield* Effect.logWarning(
      `${failure.message}; credentials are kept in files that only you can read, in ${directory}. ` +
        `To choose that: "credentials": { "storage": "filesystem" } in your own configuration`
    )
  })

  const keychain = Effect.gen(function* () {
    if (state._tag === "Open") return Option.some(state.keychain)
    if (state._tag === "Failed" && (yield* Clock.currentTimeMillis) < state.until) return Option.none<Keychain>()
    const scope = yield* Scope.make()
    return yield* open(options).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.matchEffect({
        onSuccess: (keychain) =>
          Effect.sync(() => {
            state = { _tag: "Open", keychain, scope }
            return Option.some(keychain)
          }),
        onFailure: (failure) => Effect.as(giveUp(failure), Option.none<Keychain>())
      })
    )
  }).pipe(semaphore.withPermits(1))

  yield* Effect.addFinalizer(() => (state._tag === "Open" ? Scope.close(state.scope, Exit.void) : Effect.void))

  return {
    use: (ask) =>
      Effect.flatMap(
        keychain,
        Option.match({
          onNone: () => Effect.succeedNone,
          onSome: (keychain) =>
            ask(keychain).pipe(
              Effect.asSome,
              Effect.catch((failure) => Effect.as(giveUp(failure), Option.none()))
            )
        })
      )
  }
})
