/**
 * A lock per key within one process; keys that nobody uses are forgotten.
 *
 * The lock across processes is for processes: whoever waits within this one need not ask the disk.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

export interface KeyLock {
  /** Runs `effect` while nothing else does under that key. */
  readonly withKey: (key: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make: Effect.Effect<KeyLock> = Effect.sync(() => {
  const locks = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  const enter = (key: string) =>
    Effect.sync(() => {
      const lock = locks.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      locks.set(key, lock)
      lock.users++
      return lock
    })
  return {
    withKey: (key) => (effect) =>
      Effect.acquireUseRelease(
        enter(key),
        (lock) => lock.semaphore.withPermits(1)(effect),
        (lock) =>
          Effect.sync(() => {
            if (--lock.users === 0) locks.delete(key)
          })
      )
  }
})
