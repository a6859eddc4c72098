/**
 * The bytes of a file that must be what it seems.
 *
 * Guarantees that what was judged is what was read: the file is looked at, opened without following a link, looked at
 * again through the handle, and read up to a limit. Refuses symbolic links, folders, FIFOs (never opened, so they
 * cannot block), devices, files of other users, files that others can write, and files over the limit.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Ownership from "./Ownership.ts"

/** The file does not exist. */
export class FileAbsent extends Data.TaggedError("FileAbsent")<{ readonly path: string }> {}

/** The file is not in a state to be used. */
export class FileRefused extends Data.TaggedError("FileRefused")<{
  readonly path: string
  /** Continues a sentence that begins with the path, and ends with what to do. */
  readonly rule: string
  /** Whether that is for having more bytes than the limit. */
  readonly tooLarge?: true
}> {}

export interface ReadOptions {
  /** Bytes. */
  readonly limit: number
  /** Whether root may own the file in our place. */
  readonly root: boolean
  readonly account: Ownership.Account
}

/** Bytes that one read of a handle asks for. */
const CHUNK = 256 * 1024

/** The file's state and bytes; fails with FileAbsent or FileRefused. */
export const read = (
  file: string,
  options: ReadOptions
): Effect.Effect<
  { readonly info: FileSystem.File.Info; readonly bytes: Uint8Array },
  FileAbsent | FileRefused,
  FileSystem.FileSystem | Path.Path
> => Effect.scoped(readScoped(file, options))

/** The state of a file that is a regular one and nobody else's; fails with FileAbsent or FileRefused. */
export const inspect = Effect.fnUntraced(function* (
  file: string,
  options: Omit<ReadOptions, "limit">
): Effect.fn.Return<FileSystem.File.Info, FileAbsent | FileRefused, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const info = yield* fs.lstat(file).pipe(Effect.mapError(failure(file)))
  const rule = defect(info, options)
  if (rule !== undefined) return yield* new FileRefused({ path: file, rule })
  return info
})

const readScoped = Effect.fnUntraced(function* (file: string, options: ReadOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const seen = yield* inspect(file, options)
  const tooLarge = new FileRefused({ path: file, rule: `is larger than ${options.limit} bytes`, tooLarge: true })
  if (Number(seen.size) > options.limit) return yield* tooLarge
  const handle = yield* fs.open(file, { flag: "r", noFollow: path.sep === "/" }).pipe(Effect.mapError(failure(file)))
  const info = yield* handle.stat.pipe(Effect.mapError(failure(file)))
  const rule = defect(info, options) ?? (sameFile(seen, info) ? undefined : "was replaced while it was being read")
  if (rule !== undefined) return yield* new FileRefused({ path: file, rule })
  const chunks: Array<Uint8Array> = []
  let length = 0
  for (;;) {
    const chunk = yield* handle.readAlloc(CHUNK).pipe(Effect.mapError(failure(file)))
    if (Option.isNone(chunk)) break
    length += chunk.value.length
    if (length > options.limit) return yield* tooLarge
    chunks.push(chunk.value)
  }
  return { info, bytes: concatenate(chunks, length) }
})

const defect = (info: FileSystem.File.Info, options: Omit<ReadOptions, "limit">): string | undefined =>
  info.type === "SymbolicLink"
    ? "is a symbolic link; put the file itself in its place"
    : info.type !== "File"
      ? "is not a regular file"
      : Ownership.defect(info, options.account, options)

const sameFile = (a: FileSystem.File.Info, b: FileSystem.File.Info): boolean =>
  a.dev === b.dev && Option.getOrUndefined(a.ino) === Option.getOrUndefined(b.ino)

const failure =
  (file: string) =>
  (error: PlatformError.PlatformError): FileAbsent | FileRefused =>
    error.reason._tag === "NotFound"
      ? new FileAbsent({ path: file })
      : new FileRefused({
          path: file,
          rule: "cannot be read; check its permissions, and that it is not a link or a folder"
        })

const concatenate = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
