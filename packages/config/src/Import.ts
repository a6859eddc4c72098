/**
 * Reads a file of any dialect and says the same in the native form. No variable is looked at, no file that a template
 * names is read and nothing is fetched, so that no secret can get into what is written.
 */
import { ConfigError, DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Dialects from "./Dialects.ts"
import * as DocumentReader from "./DocumentReader.ts"
import * as NativeWriter from "./NativeWriter.ts"

export interface Imported {
  /** What people call the dialect that was read. */
  readonly dialect: string
  /** The document in the native form. */
  readonly value: Readonly<Record<string, unknown>>
  /** What could not be carried over, and what had no effect before. */
  readonly lost: ReadonlyArray<ConfigWarning>
}

/** `file` is absolute, and so is `target`, the file that the result is for; default: one beside it. */
export const read = Effect.fn("Import.read")(function* (
  file: string,
  target?: string
): Effect.fn.Return<Imported, ConfigError, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const document = yield* DocumentReader.read(file)
  if (Option.isNone(document)) {
    return yield* new ConfigError({
      reason: new DocumentUnreadable({ path: file, description: "does not exist; check the path" })
    })
  }
  const reading = yield* Effect.fromResult(Dialects.recognise(file.replaceAll(path.sep, "/"), document.value)).pipe(
    Effect.flatMap((dialect) =>
      Effect.fromResult(
        dialect.decode(document.value, {
          // Nothing is run or sent for it; where it lies is all that counts.
          origin: { scope: "user", source: file, directory: path.dirname(file) },
          environment: undefined,
          path
        })
      ).pipe(Effect.map((reading) => ({ ...reading, dialect: dialect.title })))
    ),
    Effect.mapError((reason) => new ConfigError({ reason }))
  )
  const folder = path.dirname(target ?? file)
  const { lost, value } = NativeWriter.write(reading, (hook) => {
    const relative = path.relative(folder, hook)
    return relative.startsWith("..") || path.isAbsolute(relative) ? hook : `./${relative.replaceAll(path.sep, "/")}`
  })
  const moved = folder !== path.dirname(file) && reading.servers.length > 0
  return {
    dialect: reading.dialect,
    value,
    lost: [
      ...lost,
      ...(moved
        ? [
            {
              place: { file },
              message: `relative paths of helpers and of {file:…} start from ${folder} now; check them`
            }
          ]
        : [])
    ]
  }
})

/** The text of a document in the native form: YAML where the name of its file ends so, else JSON. */
export const render = Effect.fnUntraced(function* ({ value }: Imported, target: string): Effect.fn.Return<string> {
  if (!/\.ya?ml$/i.test(target)) return `${JSON.stringify(value, null, 2)}\n`
  const { stringify } = yield* Effect.promise(() => import("yaml"))
  return stringify(value)
})
