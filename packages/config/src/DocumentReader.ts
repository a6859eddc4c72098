/**
 * Reads a configuration file into a {@link Document}, by the ending of its name: `.yaml` and `.yml` are YAML, anything
 * else is JSON with comments.
 *
 * Reads regular files of at most {@link SIZE_LIMIT} bytes, in UTF-8, with or without a byte order mark. A FIFO or a
 * device is refused before it is opened: it would block, or never end. The YAML parser is loaded with the first YAML
 * file.
 */
import {
  ConfigError,
  DocumentMalformed,
  DocumentUnreadable,
  type ConfigErrorReason
} from "@letterhead/core/server/ConfigError"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import { Document, type DocumentNode, position, TreeBuilder, TreeDefect } from "./Document.ts"
import * as JsonDocument from "./JsonDocument.ts"

/** Bytes of a configuration file. */
export const SIZE_LIMIT = 1024 * 1024

/** The document at an absolute path; none where there is no file of that name. */
export const read = Effect.fnUntraced(function* (
  file: string,
  options?: { readonly sizeLimit?: number }
): Effect.fn.Return<Option.Option<Document>, ConfigError, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const sizeLimit = options?.sizeLimit ?? SIZE_LIMIT
  const unreadable = (description: string) => fail(new DocumentUnreadable({ path: file, description }))
  const fromPlatform = (error: PlatformError.PlatformError) => unreadable(describe(error))

  const info = yield* fs.stat(file).pipe(
    Effect.asSome,
    Effect.catch((error) => (isMissing(error) ? Effect.succeedNone : Effect.fail(fromPlatform(error))))
  )
  if (Option.isNone(info)) return Option.none()
  if (info.value.type === "Directory") return yield* unreadable("is a folder; name a file in it")
  if (info.value.type !== "File") {
    return yield* unreadable("is not a regular file, and reading it could wait for ever; put a regular file there")
  }
  if (Number(info.value.size) > sizeLimit) {
    return yield* unreadable(`is larger than ${sizeLimit} bytes; make it smaller`)
  }
  const bytes = yield* fs.readFile(file).pipe(Effect.mapError(fromPlatform))
  return Option.some(yield* parse(file, bytes, YAML_ENDINGS.has(path.extname(file).toLowerCase())))
})

/** The document of a text in UTF-8; `name` is what places in it are called by. */
export const parse = Effect.fnUntraced(function* (
  name: string,
  bytes: Uint8Array,
  isYaml: boolean
): Effect.fn.Return<Document, ConfigError> {
  const text = yield* Effect.fromResult(decodeText(name, bytes)).pipe(Effect.mapError(fail))
  const document = isYaml
    ? (yield* Effect.promise(() => import("./YamlDocument.ts"))).parse(name, text)
    : JsonDocument.parse(name, text)
  return yield* Effect.fromResult(document).pipe(Effect.mapError(fail))
})

/** A document of values from code, which has no lines; fails where they are nested too deeply, or within themselves. */
export const fromValue = (name: string, value: unknown): Result.Result<Document, DocumentMalformed> => {
  const builder = new TreeBuilder()
  const build = (value: unknown): DocumentNode => {
    if (Array.isArray(value)) return builder.list(0, value, build)
    if (!isPlainObject(value)) return builder.scalar(0, value)
    return builder.object(
      0,
      Object.entries(value).filter(([, member]) => member !== undefined),
      ([name]) => ({ name, offset: 0 }),
      ([, member]) => build(member)
    )
  }
  try {
    return Result.succeed(new Document({ file: name, root: build(value), duplicates: [] }))
  } catch (error) {
    if (!(error instanceof TreeDefect)) throw error
    return Result.fail(new DocumentMalformed({ place: { file: name }, description: error.description }))
  }
}

const fail = (reason: ConfigErrorReason): ConfigError => new ConfigError({ reason })

const YAML_ENDINGS: ReadonlySet<string> = new Set([".yaml", ".yml"])

const decodeText = (file: string, bytes: Uint8Array): Result.Result<string, DocumentMalformed> => {
  try {
    return Result.succeed(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    const text = new TextDecoder("utf-8").decode(bytes)
    return Result.fail(
      new DocumentMalformed({
        place: { file, ...position(text, Math.max(0, text.indexOf("\ufffd"))) },
        description: "the text is not UTF-8; save the file as UTF-8"
      })
    )
  }
}

/** A file where a folder of the path should be is a missing file as well. */
const isMissing = (error: PlatformError.PlatformError): boolean =>
  error.reason._tag === "NotFound" || causeCode(error) === "ENOTDIR"

const describe = (error: PlatformError.PlatformError): string => {
  if (error.reason._tag === "PermissionDenied") {
    return "cannot be read: permission denied; let yourself read it, and enter the folders it lies in"
  }
  if (causeCode(error) === "ELOOP") return "cannot be read: symbolic links point at each other; remove them"
  return "cannot be read; check the file and the disk it lies on"
}

const causeCode = (error: PlatformError.PlatformError): unknown => {
  const cause = error.reason.cause
  return typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
}

const isPlainObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
