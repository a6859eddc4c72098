/** A temporary folder tree for one test, with a home, a configuration folder and a repository, and ways to read it. */
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import { Environment } from "@letterhead/core/server/Environment"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import { formatPlace } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as ConfigLayer from "../src/ConfigLayer.ts"

type Needs = FileSystem.FileSystem | Path.Path

const httpClient = FetchHttpClient.layer

export interface ConfigFolder {
  /** Absolute, without symbolic links. */
  readonly root: string
  readonly home: string
  readonly configDirectory: string
  readonly managedDirectory: string
  readonly repository: string
  /** Writes a file below the root; an object is written as JSON. */
  readonly write: (name: string, content: string | object) => Effect.Effect<string>
  readonly discover: (
    options?: Partial<ConfigLayer.DiscoverOptions>,
    environment?: Environment
  ) => Effect.Effect<McpConfig.McpConfig["Service"]>
  readonly file: (name: string, environment?: Environment) => Effect.Effect<McpConfig.McpConfig["Service"], ConfigError>
  readonly remote: (
    url: string,
    environment?: Environment
  ) => Effect.Effect<McpConfig.McpConfig["Service"], ConfigError>
}

export const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const services = yield* Effect.context<Needs>()
  const root = yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "letterhead-config-" }), fs.realPath)
  const folder = (name: string) => path.join(root, name)
  const folders = {
    root,
    home: folder("home"),
    configDirectory: folder("home/.config/letterhead"),
    managedDirectory: folder("etc/letterhead"),
    repository: folder("repository")
  }
  yield* fs.makeDirectory(folders.configDirectory, { recursive: true })
  yield* fs.makeDirectory(folder("repository/.git"), { recursive: true })
  const write: ConfigFolder["write"] = (name, content) =>
    Effect.gen(function* () {
      yield* fs.makeDirectory(path.dirname(folder(name)), { recursive: true })
      yield* fs.writeFileString(folder(name), typeof content === "string" ? content : JSON.stringify(content, null, 2))
      return folder(name)
    }).pipe(Effect.orDie)
  const load = <E>(layer: Layer.Layer<McpConfig.McpConfig, E, Needs>, environment: Environment) =>
    McpConfig.McpConfig.pipe(
      Effect.provide(layer),
      Effect.provideService(Environment, environment),
      Effect.provideContext(services)
    )
  const config: ConfigFolder = {
    ...folders,
    write,
    discover: (options = {}, environment = {}) =>
      load(ConfigLayer.discover({ cwd: folders.repository, ...folders, httpClient, ...options }), environment),
    file: (name, environment = {}) =>
      load(
        ConfigLayer.file(name, { cwd: folders.repository, configDirectory: folders.configDirectory, httpClient }),
        environment
      ),
    remote: (url, environment = {}) => load(ConfigLayer.remote(url).pipe(Layer.provide(httpClient)), environment)
  }
  return config
})

/** `name: message` of each skipped server, with the folder's own path taken out. */
export const skips = (config: McpConfig.McpConfig["Service"], root: string): ReadonlyArray<string> =>
  config.skipped.map((skip) => `${skip.name}: ${skip.reason.message.replaceAll(`${root}/`, "")}`)

/** `place: message` of each warning, with the folder's own path taken out. */
export const warnings = (config: McpConfig.McpConfig["Service"], root: string): ReadonlyArray<string> =>
  config.warnings.map((warning) => `${formatPlace(warning.place)}: ${warning.message}`.replaceAll(`${root}/`, ""))
