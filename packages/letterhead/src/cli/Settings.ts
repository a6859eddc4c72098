/** The flags that every verb has, and what they come to. */
import { isUrl } from "@letterhead/config/RemoteUrl"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as References from "effect/References"
import { CliFailure } from "./CliFailure.ts"
import { Invocation } from "./Invocation.ts"

const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the result as one JSON document, and errors as JSON on standard error"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
})

const Config = GlobalFlag.Setting("config")({
  flag: Flag.String("config").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Read this configuration file, or URL, and no other"),
    Flag.optional
  )
})

const Cwd = GlobalFlag.Setting("cwd")({
  flag: Flag.String("cwd").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Act as if started in this folder"),
    Flag.optional
  )
})

const Verbose = GlobalFlag.Setting("verbose")({
  flag: Flag.Boolean("verbose").pipe(
    Flag.withDescription("Print debug logs to standard error"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
})

/** In the order the help shows them. */
export const flags = [Json, Config, Cwd, Verbose] as const

export class Settings extends Context.Service<
  Settings,
  {
    /** Absolute folder that discovery starts from. */
    readonly cwd: string
    /** The one configuration to read: the absolute path of a file, or a URL. */
    readonly configFile: string | undefined
  }
>()("letterhead/cli/Settings") {}

const make = Effect.gen(function* () {
  const { directory } = yield* Invocation
  const path = yield* Path.Path
  const fs = yield* FileSystem.FileSystem
  const named = Option.getOrUndefined(yield* Cwd)
  const cwd = named === undefined ? directory : path.resolve(directory, named)
  if (named !== undefined) {
    const isFolder = yield* fs.stat(cwd).pipe(
      Effect.map((info) => info.type === "Directory"),
      Effect.orElseSucceed(() => false)
    )
    if (!isFolder) {
      return yield* new CliFailure({ code: "UsageInvalid", message: `--cwd ${named}: there is no such folder` })
    }
  }
  const file = Option.getOrUndefined(yield* Config)
  return Settings.of({
    cwd,
    configFile: file === undefined || isUrl(file) ? file : path.resolve(cwd, file)
  })
})

/** The settings, and the log level that goes with them. */
export const layer = Layer.merge(
  Layer.effect(Settings, make),
  Layer.unwrap(
    Effect.gen(function* () {
      const verbose = yield* Verbose
      // Read where the output is made; named here so that the parser knows the flag.
      yield* Json
      return Layer.succeed(References.MinimumLogLevel, verbose ? "Debug" : "Warn")
    })
  )
)
