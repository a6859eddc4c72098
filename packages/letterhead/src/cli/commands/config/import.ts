/**
 * `letterhead config import <file>`: says in Letterhead's own form what a configuration of any other says, on standard
 * output or in a file, and on standard error what could not be carried over. Runs and sends nothing, and reads no variable.
 *
 * `--json`: `{ dialect, document, lost: [{ place, message }], output? }`.
 */
import { formatPlace } from "@letterhead/core/server/ServerEntry"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { CliFailure } from "../../CliFailure.ts"
import { Output } from "../../Output.ts"
import { printable, printableLine } from "../../Printable.ts"
import { Settings } from "../../Settings.ts"

/** What was written in clear in the other file is written in clear here: nobody else needs to read it. */
const FILE_MODE = 0o600

export const importConfig = Command.make(
  "import",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("A configuration of any program that Letterhead reads")
    ),
    target: Flag.String("output").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write a file, as YAML where its name ends so, in place of standard output"),
      Flag.optional
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withDescription("Replace the file if it is there"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  ({ file, force, target }) =>
    Effect.gen(function* () {
      const output = yield* Output
      const { cwd } = yield* Settings
      const path = yield* Path.Path
      const named = Option.map(target, (name) => path.resolve(cwd, name))
      const Import = yield* Effect.promise(() => import("@letterhead/config/Import"))
      const imported = yield* Import.read(path.resolve(cwd, file), Option.getOrUndefined(named))
      if (Option.isSome(named)) yield* write(named.value, yield* Import.render(imported, named.value), force)
      if (output.json) {
        return yield* output.document({
          dialect: imported.dialect,
          document: imported.value,
          lost: imported.lost.map(({ message, place }) => ({ place: formatPlace(place), message })),
          ...(Option.isSome(named) ? { output: named.value } : {})
        })
      }
      for (const { message, place } of imported.lost) {
        yield* output.warn(printable(`${formatPlace(place)}: ${message}`))
      }
      return yield* Option.isSome(named)
        ? output.print(`Written from ${imported.dialect}: ${printableLine(named.value)}`)
        : output.document(imported.value)
    })
).pipe(Command.withDescription("Say in Letterhead's own form what another program's configuration says"))

const write = Effect.fnUntraced(function* (file: string, text: string, force: boolean) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(file, text, { flag: force ? "w" : "wx", mode: FILE_MODE }).pipe(
    Effect.mapError(({ reason }) => {
      if (reason._tag === "AlreadyExists") return failure(`${file} is there already`, "replace it with --force")
      return reason._tag === "NotFound"
        ? failure(`${file}: there is no such folder`, "make the folder first, or name another")
        : failure(`${file} cannot be written`, "check the folder, and the disk it lies on")
    })
  )
})

const failure = (message: string, hint: string) => new CliFailure({ code: "UsageInvalid", message, hint })
