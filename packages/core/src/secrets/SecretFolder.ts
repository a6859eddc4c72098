/**
 * A folder of the person's own with one file per secret.
 *
 * One file per secret rather than one for all: the lock of a secret is held while its owner makes a new one, which can
 * take a request, and that keeps nobody from another; and a file that is lost loses one secret. Files are named by the
 * hash of their key and hold the key itself, so that they can be listed.
 *
 * Guarantees what {@link PrivateFile} does (folder 0700, files 0600, replaced as a whole under a lock across
 * processes). A file that is no record of its key, or too large to be one, is moved aside and counts as absent, with a
 * warning. Refuses what {@link PrivateFile} refuses: links, FIFOs, files and folders that others can write.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { HeaderError, SecretStoreFailed } from "../headers/HeaderError.ts"
import * as FileLock from "../storage/FileLock.ts"
import * as PrivateFile from "../storage/PrivateFile.ts"
import { describe, StorageFailed } from "../storage/StorageFailed.ts"
import { hash, isSame, type SecretKey } from "./SecretKey.ts"
import type { SecretContent, SecretRecord } from "./SecretRecord.ts"

export interface FolderOptions {
  /** Absolute folder of the person's own; made with mode 0700 where there is none. Never a project's. */
  readonly directory: string
}

/** A secret whose lock is held. */
export interface Slot {
  readonly record: Option.Option<SecretRecord>
  readonly write: (record: SecretRecord) => Effect.Effect<void, HeaderError>
  readonly remove: Effect.Effect<void, HeaderError>
}

export interface SecretFolder {
  readonly directory: string
  readonly read: (key: SecretKey) => Effect.Effect<Option.Option<SecretRecord>, HeaderError>
  readonly list: Effect.Effect<ReadonlyArray<SecretRecord>, HeaderError>
  /**
   * Runs `use` while nobody else changes that secret. Where there can be no lock, since the folder cannot be written,
   * `use` runs all the same, and what it writes fails: nobody else can write either.
   */
  readonly withSlot: <A, E, R>(
    key: SecretKey,
    use: (slot: Slot) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | HeaderError, R>
}

/** What a file that is moved aside has after its name. */
export const QUARANTINED = ".corrupt"
const FILE_NAME = /^[0-9a-f]{64}\.json$/

/** Touches nothing until it is asked. */
export const make = Effect.fnUntraced(function* (
  options: FolderOptions
): Effect.fn.Return<SecretFolder, never, FileSystem.FileSystem | Path.Path> {
  const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const path = yield* Path.Path
  const { directory } = options
  const fileOf = (key: SecretKey) => Effect.map(hash(key), (name) => path.join(directory, `${name}.json`))

  const withSlot: SecretFolder["withSlot"] = Effect.fnUntraced(function* (key, use) {
    const failed = Effect.mapError(storeFailed(directory, key.server))
    const file = yield* fileOf(key)
    const locked = yield* PrivateFile.prepareDirectory(file).pipe(
      Effect.andThen(FileLock.withLock(file, (lock) => Effect.result(useSlot(key, file, lock.verify, use)))),
      Effect.result
    )
    if (Result.isSuccess(locked)) return yield* Effect.fromResult(locked.success)
    if (locked.failure.kind === "busy") return yield* failed(Effect.fail(locked.failure))
    const record = yield* failed(readOrSetAside(file, key, Effect.void))
    const failure = failed(Effect.fail(locked.failure))
    return yield* use({ record, write: () => failure, remove: failure })
  }, Effect.provideContext(context))

  const useSlot = Effect.fnUntraced(function* <A, E, R>(
    key: SecretKey,
    file: string,
    confirm: Effect.Effect<void, StorageFailed, FileSystem.FileSystem>,
    use: (slot: Slot) => Effect.Effect<A, E, R>
  ) {
    const fs = yield* FileSystem.FileSystem
    const failed = Effect.mapError(storeFailed(directory, key.server))
    const record = yield* failed(readOrSetAside(file, key, confirm))
    return yield* use({
      record,
      write: (record) => PrivateFile.write(file, encode(record), confirm).pipe(failed, Effect.provideContext(context)),
      remove: confirm.pipe(
        Effect.andThen(
          Effect.mapError(
            fs.remove(file, { force: true }),
            (error) => new StorageFailed({ path: file, description: describe("cannot be removed", error) })
          )
        ),
        failed,
        Effect.provideContext(context)
      )
    })
  })

  return {
    directory,
    withSlot,
    read: Effect.fnUntraced(function* (key) {
      return yield* Effect.flatMap(fileOf(key), (file) => read(file, key)).pipe(
        Effect.mapError(storeFailed(directory, key.server))
      )
    }, Effect.provideContext(context)),
    list: Effect.gen(function* () {
      const names = yield* PrivateFile.list(directory, (name) => FILE_NAME.test(name))
      const records = yield* Effect.forEach(names.toSorted(), (name) => read(path.join(directory, name), undefined))
      return records.flatMap(Option.toArray)
    }).pipe(Effect.mapError(storeFailed(directory)), Effect.provideContext(context))
  }
})

/** The text of a file is no record. */
class Corrupt extends Data.TaggedError("Corrupt")<{ readonly rule: string }> {}

/** The record; a file that is none is looked at again under its lock, and moved aside. */
const read = (file: string, key: SecretKey | undefined) =>
  readRecord(file, key).pipe(
    Effect.catchTag("Corrupt", () =>
      FileLock.withLock(file, (lock) => readOrSetAside(file, key, lock.verify)).pipe(
        // Where there can be no lock, nothing can be moved; another process that holds it does that itself.
        Effect.catchTag("StorageFailed", () => readOrSetAside(file, key, Effect.void))
      )
    )
  )

const readOrSetAside = <R>(file: string, key: SecretKey | undefined, confirm: Effect.Effect<void, StorageFailed, R>) =>
  readRecord(file, key).pipe(
    Effect.catchTag("Corrupt", ({ rule }) => Effect.as(setAside(file, rule, confirm), Option.none<SecretRecord>()))
  )

const setAside = Effect.fnUntraced(function* <R>(
  file: string,
  rule: string,
  confirm: Effect.Effect<void, StorageFailed, R>
) {
  const fs = yield* FileSystem.FileSystem
  const aside = `${file}${QUARANTINED}`
  const moved = yield* confirm.pipe(
    Effect.andThen(fs.rename(file, aside)),
    Effect.as(`it was moved to ${aside}`),
    Effect.orElseSucceed(() => "it could not be moved aside; remove it")
  )
  yield* Effect.logWarning(
    `the secret file ${file} ${rule}, and counts as not set: ${moved}. Set the credential again; see: letterhead credential list`
  )
})

const readRecord = Effect.fnUntraced(function* (
  file: string,
  key: SecretKey | undefined
): Effect.fn.Return<Option.Option<SecretRecord>, StorageFailed | Corrupt, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const text = yield* PrivateFile.read(file).pipe(
    Effect.catchIf(
      (error) => error.kind === "too large",
      (error) => new Corrupt({ rule: error.description })
    )
  )
  if (Option.isNone(text)) return Option.none()
  // The schema's own message would quote what is in the file.
  const document = yield* Effect.mapError(
    Schema.decodeEffect(Document)(text.value),
    () => new Corrupt({ rule: text.value === "" ? "is empty" : `is not a secret file of version ${VERSION}` })
  )
  const { field, generation, origin, principal, server } = document
  const own: SecretKey = { principal, origin, server, field }
  const isOwn = key === undefined ? path.basename(file) === `${yield* hash(own)}.json` : isSame(own, key)
  if (!isOwn) return yield* new Corrupt({ rule: "holds the secret of another server or field" })
  return Option.some({ key: own, generation, content: contentOf(document.content) })
})

/** The version of a file's form; a file of another version is not read. */
const VERSION = 1

const Content = Schema.Union([
  Schema.Struct({ value: Schema.String }),
  Schema.Struct({ keptIn: Schema.String }),
  Schema.Struct({ removed: Schema.Literal(true) })
])

const Document = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(VERSION),
    principal: Schema.String,
    origin: Schema.String,
    server: Schema.String,
    field: Schema.String,
    generation: Schema.Finite,
    content: Content
  })
)

const contentOf = (content: typeof Content.Type): SecretContent => {
  if ("value" in content) return { _tag: "Value", value: Redacted.make(content.value) }
  return "keptIn" in content ? { _tag: "Elsewhere", keptIn: content.keptIn } : { _tag: "Removed" }
}

const encodedContent = (content: SecretContent): typeof Content.Encoded => {
  if (content._tag === "Value") return { value: Redacted.value(content.value) }
  return content._tag === "Elsewhere" ? { keptIn: content.keptIn } : { removed: true }
}

const encode = ({ content, generation, key }: SecretRecord): string =>
  `${JSON.stringify({ version: VERSION, ...key, generation, content: encodedContent(content) })}\n`

const storeFailed =
  (directory: string, server?: string) =>
  (error: StorageFailed): HeaderError => {
    const what = error.path === directory ? error.description : `cannot be used: ${error.path} ${error.description}`
    return new HeaderError({
      ...(server === undefined ? {} : { server }),
      reason: new SecretStoreFailed({ path: directory, description: what })
    })
  }
