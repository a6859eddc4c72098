/**
 * The workspace files that an entry names, and their digests.
 *
 * Guarantees that every word of a command that names a file of the workspace is found: the program itself, an argument,
 * the value of `--x=path`, a word of a shell string (and of an argument that holds one), `files`, and hook modules; so
 * is a file that an interpreter finds under a word without its ending, or in a folder that a word names.
 * More is covered rather than less; what a program loads further is not. Refuses a file that is a symbolic link, that
 * somebody else owns or can write, that is larger than {@link FILE_LIMIT}, and one that `files`, `hooks` or the program
 * names and that does not exist. A word of a command that names no file is no file: once one appears under that name
 * it is covered, and the digest is another.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Digest from "effect/crypto/Digest"
import { TrustRefused } from "../headers/HeaderError.ts"
import type { Origin } from "../server/ServerEntry.ts"
import * as Ownership from "../storage/Ownership.ts"
import * as RegularFile from "../storage/RegularFile.ts"
import type { CoveredFile } from "./TrustSubject.ts"

/** Bytes of one covered file: room for a compiled helper. */
export const FILE_LIMIT = 32 * 1024 * 1024
/** Covered files of one entry. */
export const FILE_COUNT_LIMIT = 256

/** What an entry names: `words` may be files, `required` must be. */
export interface Named {
  readonly words: ReadonlyArray<string>
  readonly required: ReadonlyArray<string>
}

/** The files, by path; those outside the workspace are not covered unless `required` names them. */
export const cover = Effect.fnUntraced(function* (
  named: Named,
  origin: Origin
): Effect.fn.Return<ReadonlyArray<CoveredFile>, TrustRefused, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const files = new Set<string>()
  for (const written of named.required) {
    const file = absolute(path, written, origin)
    if (file === undefined) {
      return yield* new TrustRefused({
        path: written,
        rule: "is a relative path, and this configuration lies in no folder; name the file absolutely"
      })
    }
    files.add(file)
  }
  for (const file of yield* filesNamed(named.words, origin)) files.add(file)
  if (files.size > FILE_COUNT_LIMIT) {
    return yield* new TrustRefused({ path: origin.source, rule: `names more than ${FILE_COUNT_LIMIT} files` })
  }
  const account = yield* Ownership.account
  return yield* Effect.forEach([...files].toSorted(), (file) => digestOf(file, account))
})

/** The words that name a file of the workspace, as absolute paths; nothing is read of them. */
export const filesNamed = Effect.fnUntraced(function* (
  words: ReadonlyArray<string>,
  origin: Origin
): Effect.fn.Return<ReadonlyArray<string>, never, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = workspaceOf(origin)
  if (root === undefined) return []
  const real = (place: string) => Effect.orElseSucceed(fs.realPath(place), () => place)
  // Asked for a file that does not lie there as it is written.
  const realRoot = yield* Effect.cached(real(root))
  const files = new Set<string>()
  // A link or a folder is followed only to learn whether a file is meant; a link is then refused, not read.
  const typeOf = (file: string) =>
    fs.stat(file).pipe(
      Effect.map((info) => info.type),
      Effect.orElseSucceed(() => undefined)
    )
  const meant = Effect.fnUntraced(function* (file: string, word: string) {
    const type = yield* typeOf(file)
    if (type !== undefined && type !== "Directory") return [file]
    // The shell's own `.` names no folder.
    if (word === ".") return []
    const guesses =
      type === undefined
        ? MODULE_SUFFIXES.map((suffix) => file + suffix)
        : MODULE_MAINS.map((main) => path.join(file, main))
    return yield* Effect.filter(guesses, (guess) => Effect.map(typeOf(guess), (type) => type === "File"))
  })
  for (const word of words) {
    const named = absolute(path, word, origin)
    if (named === undefined || files.has(named)) continue
    for (const file of yield* meant(named, word)) {
      if (contains(path, root, file) || contains(path, yield* realRoot, yield* real(file))) files.add(file)
    }
  }
  return [...files]
})

/** Reads the files again; the first that is not what it was, where there is one. */
export const firstChanged = Effect.fnUntraced(function* (
  files: ReadonlyArray<CoveredFile>
): Effect.fn.Return<string | undefined, never, FileSystem.FileSystem | Path.Path> {
  const account = yield* Ownership.account
  for (const file of files) {
    const now = yield* Effect.option(digestOf(file.path, account))
    if (now._tag === "None" || now.value.sha256 !== file.sha256) return file.path
  }
  return undefined
})

/** The words of an argument array: each argument, the value of `name=value`, and what a shell would make of it. */
export const wordsOfArguments = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((argument) => [...values(argument), ...wordsOfShell(argument)])

/**
 * The words of a shell string, with and without regard to quotes.
 *
 * Not a shell's parser: both readings are taken, so that a path is found in either, and a word too many covers a file
 * too many at worst.
 */
export const wordsOfShell = (text: string): ReadonlyArray<string> => {
  const words = new Set<string>()
  for (const match of text.matchAll(QUOTED_WORD)) {
    for (const value of values(match[0].replace(QUOTES, (_, double, single, escaped) => double ?? single ?? escaped))) {
      words.add(value)
    }
  }
  for (const word of text.split(SEPARATORS)) for (const value of values(word)) words.add(value)
  words.delete("")
  return [...words]
}

/** Whether `file` lies in `directory`, as paths are written. */
export const contains = (path: Path.Path, directory: string, file: string): boolean => {
  const relative = path.relative(directory, file)
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative)
}

/** The folder whose files are covered: the repository, or where there is none the folder of the configuration. */
export const workspaceOf = (origin: Origin): string | undefined => origin.workspace ?? origin.directory

/** What an interpreter may add to a name that is no file: `node ./headers` runs `headers.js`. */
const MODULE_SUFFIXES = [".js", ".cjs", ".mjs", ".ts", ".json", ".node"] as const
/** What an interpreter may run of a folder: `node ./headers`, `python3 headers`. */
const MODULE_MAINS = ["package.json", "index.js", "index.cjs", "index.mjs", "index.ts", "__main__.py"] as const

/** A run of quoted and unquoted parts without a blank or an operator between them. */
const QUOTED_WORD = /(?:"(?:\\[^]|[^"\\])*"|'[^']*'|\\[^]|[^\s"'\\;|&()<>`])+/g
const QUOTES = /"((?:\\[^]|[^"\\])*)"|'([^']*)'|\\([^])/g
const SEPARATORS = /[\s"'`;|&()<>{}$\\]+/

const values = (word: string): ReadonlyArray<string> => {
  const separator = word.indexOf("=")
  return separator === -1 ? [word] : [word, word.slice(separator + 1)]
}

const absolute = (path: Path.Path, written: string, origin: Origin): string | undefined => {
  if (written.length === 0 || written.includes("\0")) return undefined
  if (path.isAbsolute(written)) return path.normalize(written)
  return origin.directory === undefined ? undefined : path.resolve(origin.directory, written)
}

const digestOf = (
  file: string,
  account: Ownership.Account
): Effect.Effect<CoveredFile, TrustRefused, FileSystem.FileSystem | Path.Path> =>
  RegularFile.read(file, { limit: FILE_LIMIT, root: true, account }).pipe(
    Effect.mapError(
      (error) =>
        new TrustRefused({
          path: file,
          rule:
            error._tag === "FileAbsent" ? "does not exist; create it, or correct the entry that names it" : error.rule
        })
    ),
    Effect.flatMap(({ bytes }) => sha256(bytes)),
    Effect.map((hexadecimal) => ({ path: file, sha256: hexadecimal }))
  )

/** Hexadecimal SHA-256. */
export const sha256 = (bytes: Uint8Array): Effect.Effect<string> =>
  Digest.Digest.use((digest) => digest.digestHex(Digest.sha256, bytes)).pipe(Effect.provide(Digest.layerWebCrypto))
