/**
 * A lock across processes, made of files in one folder.
 *
 * Every contender makes a file of its own, `NAME.lock.TOKEN`, under a name that did not exist, and then lists the
 * folder: who sees no other has the lock, who sees another takes its own file back and tries again. As each file is
 * made before the list is read, of two contenders at least one sees the other. A holder shows that it lives by touching
 * its file; one that stands still for {@link STALE_AFTER} as a waiter's own monotonic clock measures it (never by
 * comparing wall clocks) is taken away. Its name is never used again, so nobody can take away a lock that lives.
 *
 * Guarantees takeover of a dead holder's lock within {@link STALE_AFTER} of a wait, and an answer within
 * {@link WAIT_LIMIT}. A holder that was stopped for longer and wakes up has lost the lock; {@link Lock.verify} tells it,
 * and is to be asked right before what the lock protects is changed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Random from "effect/Random"
import { token } from "./PrivateFile.ts"
import { describe, StorageFailed } from "./StorageFailed.ts"

/** Milliseconds between two signs of life. */
export const HEARTBEAT = 1_000
/** Milliseconds without a sign of life after which a lock is taken away. */
export const STALE_AFTER = 5_000
/** Milliseconds that one waits for the lock. */
export const WAIT_LIMIT = 30_000
/** Milliseconds between two attempts: a random time in between, so that contenders do not meet for ever. */
const PAUSE = { minimum: 5, maximum: 40 } as const
/** Milliseconds that count between two looks: a machine that slept did not watch anybody stand still. */
const STEP_LIMIT = 250

const LOCK_MODE = 0o600
const NANOSECONDS_PER_MILLISECOND = 1_000_000n

export interface Lock {
  /** Fails where the lock was taken away in the meantime. */
  readonly verify: Effect.Effect<void, StorageFailed>
}

/** Runs `use` while no other process, and nothing else in this one, holds the lock of `file`. The folder exists. */
export const withLock = <A, E, R>(
  file: string,
  use: (lock: Lock) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | StorageFailed, R | FileSystem.FileSystem | Path.Path> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const own = yield* acquire(file, restore)
      const lock: Lock = {
        verify: fs.lstat(own).pipe(
          Effect.asVoid,
          Effect.mapError(
            () =>
              new StorageFailed({
                path: file,
                description: "was locked by another process while this one stood still, and is unchanged; try again"
              })
          )
        )
      }
      return yield* restore(Effect.raceFirst(use(lock), heartbeat(own))).pipe(
        Effect.ensuring(Effect.ignore(fs.remove(own, { force: true })))
      )
    })
  )

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const acquire = Effect.fnUntraced(function* (
  file: string,
  restore: Restore
): Effect.fn.Return<string, StorageFailed, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.dirname(file)
  const prefix = `${path.basename(file)}.lock.`
  const failed = Effect.mapError(
    (error: Parameters<typeof describe>[1]) =>
      new StorageFailed({ path: file, description: describe("cannot be locked", error) })
  )
  const present = fs.readDirectory(directory).pipe(
    Effect.map((names) => names.filter((name) => name.startsWith(prefix))),
    failed
  )
  const attempt = Effect.gen(function* () {
    const name = `${prefix}${yield* token}`
    const own = path.join(directory, name)
    yield* fs.writeFile(own, new Uint8Array(0), { flag: "wx", mode: LOCK_MODE }).pipe(failed)
    const names = yield* present.pipe(Effect.onError(() => Effect.ignore(fs.remove(own, { force: true }))))
    // Its own file missing means that it stood still for so long that somebody took the file away.
    if (names.length === 1 && names[0] === name) return own
    yield* Effect.ignore(fs.remove(own, { force: true }))
    return undefined
  })

  const watched = new Map<string, { readonly touched: number | undefined; readonly still: number }>()
  const started = yield* Clock.monotonicTimeNanos
  let last = started
  for (;;) {
    const others = yield* present
    if (others.length === 0) {
      const own = yield* attempt
      if (own !== undefined) return own
    }
    const now = yield* Clock.monotonicTimeNanos
    const step = Math.min(elapsed(last, now), STEP_LIMIT)
    last = now
    for (const name of others) {
      const info = yield* Effect.option(fs.lstat(path.join(directory, name)))
      if (Option.isNone(info)) continue
      const touched = Option.getOrUndefined(info.value.mtime)?.getTime()
      const before = watched.get(name)
      const still = before === undefined || before.touched !== touched ? 0 : before.still + step
      watched.set(name, { touched, still })
      if (still >= STALE_AFTER) {
        yield* Effect.ignore(fs.remove(path.join(directory, name), { force: true }))
      }
    }
    if (elapsed(started, now) >= WAIT_LIMIT) {
      return yield* new StorageFailed({
        path: file,
        kind: "busy",
        description: `has been locked by other processes for ${WAIT_LIMIT} ms; wait for them, or end them, and try again`
      })
    }
    yield* restore(Effect.flatMap(Random.nextBetween(PAUSE.minimum, PAUSE.maximum), Effect.sleep))
  }
})

/** Touches the holder's file for ever; a file that is gone is for {@link Lock.verify} to report. */
const heartbeat = (own: string): Effect.Effect<never, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* Effect.sleep(HEARTBEAT)
    const now = new Date(yield* Clock.currentTimeMillis)
    yield* Effect.ignore(fs.utimes(own, now, now))
  }).pipe(Effect.forever)

const elapsed = (from: bigint, to: bigint): number => Number((to - from) / NANOSECONDS_PER_MILLISECOND)
