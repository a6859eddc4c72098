/**
 * Everything but the connection, wired for Node: configuration, trust, helpers, hooks, sources and the resolver.
 *
 * Loads no MCP SDK, so that a program that only wants to know which headers would be sent starts at once.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as ConfigLayer from "@letterhead/config/ConfigLayer"
import { isUrl } from "@letterhead/config/RemoteUrl"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import type { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import { Environment } from "@letterhead/core/server/Environment"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import type { Origin, ServerEntry } from "@letterhead/core/server/ServerEntry"
import type { HeaderSource } from "@letterhead/core/sources/HeaderSource"
import * as HeaderSources from "@letterhead/core/sources/HeaderSources"
import * as TrustGate from "@letterhead/core/trust/TrustGate"
import * as TrustStore from "@letterhead/core/trust/TrustStore"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import { isAbsolute } from "node:path"
import type { CertificateOptions } from "./CertificateLayer.ts"
import * as Directories from "./Directories.ts"
import * as HelperLayer from "./HelperLayer.ts"
import * as OAuthLayer from "./OAuthLayer.ts"
import * as SecretLayer from "./SecretLayer.ts"

export interface Options extends CertificateOptions {
  /** Absolute folder that discovery starts from. Default: the working directory of the process. */
  readonly cwd?: string
  /** The one configuration to read in place of discovery: a file, relative to `cwd`, or a URL. */
  readonly configFile?: string
  /** Entries in place of any file; each states its origin. */
  readonly servers?: ReadonlyArray<ServerEntry>
  /**
   * Entries as `mcpServers` of a file says them, in place of any file; `origin` says whose words they are. A bad one is
   * skipped.
   */
  readonly values?: { readonly entries: Readonly<Record<string, unknown>>; readonly origin: Origin }
  /** Absolute folder of the person's own configuration. Default: see `Directories`. */
  readonly configDirectory?: string
  /** Absolute folder of what an administrator wrote for everybody. Default: see `Directories`. */
  readonly managedDirectory?: string
  /** Absolute folder of the trust store. Default: see `Directories`. */
  readonly stateDirectory?: string
  /** Absolute folder of the secrets that no keychain keeps. Default: see `Directories`. */
  readonly credentialsDirectory?: string
  /** `auto`: the keychain, else files; `filesystem`: files. Default: what the configuration says, else `auto`. */
  readonly credentialStorage?: "auto" | "filesystem"
  /** What templates name and helpers inherit. Default: the environment of the process, read when it is needed. */
  readonly environment?: Environment
  /**
   * How a person signs in where a connection needs that: a layer of `@letterhead/oauth`, or your own. Default: nobody is
   * asked, and what needs a sign-in fails with `SignInRequired`.
   */
  readonly signIn?: Layer.Layer<SignIn>
  /** Further sources, beside static, credential, OAuth, helper, passthrough and hook. */
  readonly sources?: ReadonlyArray<HeaderSource>
}

/** What {@link layer} provides. */
export type Services =
  | HeaderResolver.HeaderResolver
  | HeaderSources.HeaderSources
  | HelperRunner
  | McpConfig.McpConfig
  | SecretStore
  | TrustGate.TrustGate
  | TrustStore.TrustStore

export const layer = (options: Options = {}): Layer.Layer<Services, ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const environment = options.environment ?? process.env
      const directories = yield* Directories.resolve(environment)
      const trustStore = TrustStore.layerFile({ directory: options.stateDirectory ?? directories.state })
      return HeaderResolver.layer.pipe(
        Layer.provideMerge(sources(options, directories, environment)),
        Layer.provideMerge(HelperLayer.layer),
        Layer.provideMerge(secrets(options, directories, environment)),
        Layer.provideMerge(Layer.merge(TrustGate.layer, configuration(options, directories, environment))),
        Layer.provideMerge(trustStore),
        Layer.provideMerge(Layer.succeed(Environment, environment)),
        Layer.provide(platform)
      )
    })
  )

/** Those of core, OAuth, and the runtime's own. */
const sources = (options: Options, directories: Directories.Directories, environment: Environment) =>
  Layer.unwrap(
    Effect.map(OAuthLayer.make(signIns(options, directories, environment)), (oauth) =>
      HeaderSources.layerWith([oauth, ...(options.sources ?? [])])
    )
  )

/** Where sign-ins are kept, and how one is made. */
export const signIns = (
  options: Pick<Options, "certificateAuthorities" | "credentialsDirectory" | "credentialStorage" | "signIn">,
  directories: Directories.Directories,
  environment: Environment
): OAuthLayer.OAuthOptions => ({
  home: directories.home,
  directory: options.credentialsDirectory ?? directories.credentials,
  environment,
  ...(options.certificateAuthorities === undefined ? {} : { certificateAuthorities: options.certificateAuthorities }),
  ...(options.credentialStorage === undefined ? {} : { storage: options.credentialStorage }),
  ...(options.signIn === undefined ? {} : { signIn: options.signIn })
})

const secrets = (options: Options, directories: Directories.Directories, environment: Environment) =>
  SecretLayer.layer({
    environment,
    directory: options.credentialsDirectory ?? directories.credentials,
    ...(options.credentialStorage === undefined ? {} : { storage: options.credentialStorage })
  })

/** Files of Node. */
const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

const configuration = (options: Options, directories: Directories.Directories, environment: Environment) => {
  if (options.servers !== undefined) return McpConfig.layer(options.servers)
  if (options.values !== undefined) return ConfigLayer.values(options.values.entries, options.values)
  const place = {
    cwd: options.cwd ?? process.cwd(),
    home: directories.home,
    configDirectory: options.configDirectory ?? directories.config,
    httpClient
  }
  return options.configFile === undefined
    ? Layer.unwrap(
        Effect.map(mayReplace, (approved) =>
          ConfigLayer.discover({
            ...place,
            ...programs(environment),
            managedDirectory: options.managedDirectory ?? directories.managed,
            approved
          })
        )
      )
    : isUrl(options.configFile)
      ? ConfigLayer.remote(options.configFile).pipe(Layer.provide(httpClient))
      : ConfigLayer.file(options.configFile, place)
}

/** Node's fetch, loaded when there is a URL to read: most configurations are files alone. */
const httpClient = Layer.unwrap(
  Effect.map(
    Effect.promise(() => import("effect/http/FetchHttpClient")),
    ({ layer }) => layer
  )
)

/** Where the person says that programs keep their configuration; a relative folder is none, says XDG. */
const programs = ({ XDG_CONFIG_HOME: folder }: Environment): { readonly programsDirectory?: string } =>
  folder !== undefined && isAbsolute(folder) ? { programsDirectory: folder } : {}

/** Whether the person approved a project's entry, so that it may stand in for one of their own of that name. */
const mayReplace = Effect.gen(function* () {
  const store = yield* TrustStore.TrustStore
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  return (entry: ServerEntry) =>
    Effect.promise(() => import("@letterhead/core/trust/TrustSubject")).pipe(
      Effect.flatMap(({ make }) => make(entry)),
      Effect.flatMap(store.check),
      Effect.map((decision) => decision._tag === "Approved"),
      Effect.orElseSucceed(() => false),
      Effect.provideContext(services)
    )
})
