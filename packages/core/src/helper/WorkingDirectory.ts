/** Where a program of an entry runs. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { NotExecutable } from "../headers/HeaderError.ts"
import type { ServerEntry } from "../server/ServerEntry.ts"

/** The folder of the configuration; where there is none, an empty one that nobody else can read, for this run only. */
export const of = Effect.fnUntraced(function* (
  entry: ServerEntry,
  command: string
): Effect.fn.Return<string, NotExecutable, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const unusable = (description: string) => () => new NotExecutable({ command, description })
  const { directory } = entry.origin
  if (directory === undefined) {
    return yield* fs
      .makeTempDirectoryScoped({ prefix: "letterhead-" })
      .pipe(Effect.mapError(unusable("no private folder could be made for it to run in; check the temporary folder")))
  }
  const info = yield* Effect.mapError(fs.stat(directory), unusable(`its working directory ${directory} does not exist`))
  if (info.type !== "Directory") return yield* unusable(`its working directory ${directory} is no folder`)()
  return directory
})
