/**
 * A text file of ours that nobody else may read or write: the trust store, the secret store.
 *
 * Guarantees: a file is replaced as a whole (written under a random name that did not exist, mode 0600, flushed to the
 * disk, renamed), so that a reader, a full disk or a power cut meets the old text or the new one; the folder is made
 * with mode 0700; a file that others could only read is tightened. Refuses to read what {@link RegularFile} refuses,
 * and a folder that is a link, somebody else's, or writable by others: what lies in it could be forged.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Ownership from "./Ownership.ts"
import * as RegularFile from "./RegularFile.ts"
import { describe, StorageFailed } from "./StorageFailed.ts"

/** Bytes of a private file. */
export const SIZE_LIMIT = 1024 * 1024

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
const TEMPORARY = ".tmp"
/** Words of 32 bits of a name nobody else chooses. */
const TOKEN_WORDS = 4
const WORD_LIMIT = 0x1_0000_0000

/** The text, or none where the file or its folder does not exist. */
export const read = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<Option.Option<string>, StorageFailed, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const account = yield* Ownership.account
  if (!(yield* inspectDirectory(path.dirname(file), account))) return Option.none()
  const found = yield* RegularFile.read(file, { limit: SIZE_LIMIT, root: false, account }).pipe(
    Effect.asSome,
    Effect.catchTags({
      FileAbsent: () => Effect.succeedNone,
      FileRefused: (error) =>
        Effect.fail(
          new StorageFailed({
            path: error.path,
            description: error.rule,
            ...(error.tooLarge === undefined ? {} : { kind: "too large" })
          })
        )
    })
  )
  if (Option.isNone(found)) return Option.none()
  if (account._tag !== "NoModes" && (found.value.info.mode & Ownership.ACCESSIBLE_BY_OTHERS) !== 0) {
    yield* fs.chmod(file, FILE_MODE).pipe(failsWith(file, "can be read by other users, and that cannot be taken away"))
  }
  return Option.some(new TextDecoder().decode(found.value.bytes))
})

/**
 * The names of the files in `directory` whose name `accepts` takes; none where the folder does not exist. Refuses the
 * folders that {@link read} refuses.
 */
export const list = Effect.fnUntraced(function* (
  directory: string,
  accepts: (name: string) => boolean
): Effect.fn.Return<ReadonlyArray<string>, StorageFailed, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* inspectDirectory(directory, yield* Ownership.account))) return []
  const names = yield* fs.readDirectory(directory).pipe(failsWith(directory, "cannot be listed"))
  return names.filter(accepts)
})

/** Makes the folder of `file` where there is none, and refuses one that others can write. */
export const prepareDirectory = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<void, StorageFailed, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const directory = path.dirname(file)
  const account = yield* Ownership.account
  if (yield* inspectDirectory(directory, account)) return
  yield* makeDirectories(directory).pipe(failsWith(directory, "cannot be created"))
  yield* inspectDirectory(directory, account)
})

/** One folder in the other: where none can be made at all, as in a procfs, Node's own way to do that never ends. */
const makeDirectories: (
  directory: string
) => Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> = Effect.fnUntraced(
  function* (directory) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (yield* fs.exists(directory)) return
    yield* makeDirectories(path.dirname(directory))
    yield* fs.makeDirectory(directory, { mode: DIRECTORY_MODE }).pipe(
      // Somebody else made it meanwhile.
      Effect.catchIf(
        ({ reason }) => reason._tag === "AlreadyExists",
        () => Effect.void
      )
    )
  }
)

/**
 * Replaces the text; the folder exists and the caller holds the file's lock, so that what a killed writer left lying
 * about can be cleared away. `confirm` runs last, right before the rename, and can still stop it.
 */
export const write = Effect.fnUntraced(function* <R = never>(
  file: string,
  text: string,
  confirm: Effect.Effect<void, StorageFailed, R>
): Effect.fn.Return<void, StorageFailed, FileSystem.FileSystem | Path.Path | R> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.dirname(file)
  const bytes = new TextEncoder().encode(text)
  yield* bytes.length <= SIZE_LIMIT
    ? Effect.void
    : new StorageFailed({
        path: file,
        description: `would be larger than ${SIZE_LIMIT} bytes; remove what is no longer needed. The old file is unchanged`
      })
  const prefix = `.${path.basename(file)}.`
  const names = yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith(TEMPORARY)) continue
    yield* Effect.ignore(fs.remove(path.join(directory, name), { force: true }))
  }
  const temporary = path.join(directory, `${prefix}${yield* token}${TEMPORARY}`)
  const failed = failsWith(file, "cannot be written, and is unchanged")
  yield* Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* fs.open(temporary, { flag: "wx", mode: FILE_MODE })
        yield* handle.writeAll(bytes)
        yield* handle.sync
      })
    ).pipe(failed)
    yield* confirm
    yield* fs.rename(temporary, file).pipe(failed)
  }).pipe(Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true }))))
  // The rename itself reaches the disk with the folder; a platform that cannot flush a folder needs no flush.
  yield* Effect.scoped(Effect.flatMap(fs.open(directory), (handle) => handle.sync)).pipe(Effect.ignore)
})

/** Characters that nobody else chooses, for the name of a file. */
export const token: Effect.Effect<string> = Effect.map(
  Effect.all(Array.from({ length: TOKEN_WORDS }, () => Random.next)),
  (words) =>
    words
      .map((word) =>
        Math.floor(word * WORD_LIMIT)
          .toString(16)
          .padStart(8, "0")
      )
      .join("")
)

/** Whether the folder exists; tightens one that others can only read. */
const inspectDirectory = Effect.fnUntraced(function* (
  directory: string,
  account: Ownership.Account
): Effect.fn.Return<boolean, StorageFailed, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const info = yield* fs.lstat(directory).pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error.reason._tag === "NotFound",
      () => Effect.succeedNone
    ),
    failsWith(directory, "cannot be looked at")
  )
  if (Option.isNone(info)) return false
  const rule =
    info.value.type === "SymbolicLink"
      ? "is a symbolic link; name the folder itself"
      : info.value.type !== "Directory"
        ? "is not a folder; move it away"
        : Ownership.defect(info.value, account, { root: false })
  if (rule !== undefined) return yield* new StorageFailed({ path: directory, description: rule })
  if (account._tag !== "NoModes" && (info.value.mode & Ownership.ACCESSIBLE_BY_OTHERS) !== 0) {
    yield* fs
      .chmod(directory, DIRECTORY_MODE)
      .pipe(failsWith(directory, "can be read by other users, and that cannot be taken away"))
  }
  return true
})

const failsWith = (path: string, attempt: string) =>
  Effect.mapError(
    (error: Parameters<typeof describe>[1]) => new StorageFailed({ path, description: describe(attempt, error) })
  )
