/**
 * The absolute path of the program that a command names.
 *
 * Guarantees that what is approved is what runs: a name is looked up once, in the `PATH` of the runtime's own
 * environment and in its absolute entries only; a path with a separator starts from the folder of the configuration.
 * Refuses an empty or relative entry of `PATH` (the working directory may be a stranger's), and a relative path where
 * the configuration lies in no folder. The environment that an entry adds is never consulted.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { NotExecutable, NotFound, TrustRefused } from "../headers/HeaderError.ts"
import type { Environment } from "../server/Environment.ts"

export interface ResolveOptions {
  /** The environment whose `PATH` is searched: the runtime's, without anything an entry adds. */
  readonly environment: Environment
  /** Absolute folder that a path with a separator starts from; `undefined` where the configuration lies in none. */
  readonly directory: string | undefined
}

/** Any of the three bits that let a file be executed. */
const EXECUTABLE_BITS = 0o111

/** The absolute path that runs for `command`; a name without a separator is looked up in `PATH`. */
export const resolve = Effect.fnUntraced(function* (
  command: string,
  options: ResolveOptions
): Effect.fn.Return<string, NotFound | NotExecutable | TrustRefused, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  if (command.length === 0) {
    return yield* new NotFound({ command: '""', description: "the command is empty; name a program" })
  }
  if (path.isAbsolute(command)) return yield* requireExecutable(command)
  if (hasSeparator(command, path)) {
    if (options.directory === undefined) {
      return yield* new TrustRefused({
        path: command,
        rule: "is a relative path, and this configuration lies in no folder; name the program absolutely"
      })
    }
    return yield* requireExecutable(path.resolve(options.directory, command))
  }
  return yield* search(command, options.environment)
})

const search = Effect.fnUntraced(function* (
  command: string,
  environment: Environment
): Effect.fn.Return<string, NotFound | NotExecutable, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const entries = (environment["PATH"] ?? environment["Path"] ?? "").split(path.sep === "\\" ? ";" : ":")
  let notExecutable: string | undefined
  for (const entry of entries) {
    if (!path.isAbsolute(entry)) continue
    const candidate = path.join(entry, command)
    const state = yield* stateOf(candidate)
    if (state === "executable") return candidate
    if (state === "present") notExecutable ??= candidate
  }
  if (notExecutable !== undefined) {
    return yield* new NotExecutable({ command: notExecutable, description: REMEDIES.present })
  }
  return yield* new NotFound({
    command,
    description: "it is in no folder of PATH (only absolute entries count); install it, or name it by its absolute path"
  })
})

const requireExecutable = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<string, NotFound | NotExecutable, FileSystem.FileSystem> {
  const state = yield* stateOf(file)
  if (state === "executable") return file
  if (state === "absent") {
    return yield* new NotFound({ command: file, description: "no such file; create it, or correct the path" })
  }
  return yield* new NotExecutable({ command: file, description: REMEDIES[state] })
})

type State = "executable" | "present" | "other" | "hidden" | "absent"

const REMEDIES = {
  present: "make it executable: chmod +x",
  other: "it is not a regular file",
  hidden: "it cannot be looked at; check the permissions of the folders above it"
} as const

const stateOf = (file: string): Effect.Effect<State, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.stat(file)).pipe(
    Effect.map((info): State =>
      info.type !== "File" ? "other" : (info.mode & EXECUTABLE_BITS) === 0 ? "present" : "executable"
    ),
    Effect.catch((error) => Effect.succeed<State>(error.reason._tag === "PermissionDenied" ? "hidden" : "absent"))
  )

const hasSeparator = (command: string, path: Path.Path): boolean =>
  command.includes("/") || (path.sep === "\\" && command.includes("\\"))
