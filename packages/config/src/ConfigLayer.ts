/**
 * The layers that provide {@link McpConfig.McpConfig}: from the files a person has ({@link discover}), from one file
 * that is named ({@link file}), or from values of a program ({@link values}).
 *
 * The scope of an entry follows from where its document lies and is fixed before the document is read. One bad entry
 * skips one server; a document that cannot be read is listed under `failed`, and the others count all the same, except
 * that a file the person named must be readable. Nothing is executed, nothing is sent, and no message quotes a value.
 *
 * Needs FileSystem and Path, and reads the {@link Environment} reference to tell which variables are set. Folders are
 * options: nothing is taken from a project's environment.
 */
import { ConfigError, DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import { Environment } from "@letterhead/core/server/Environment"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import type { Origin } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import type { Dialect, Reading } from "./Dialect.ts"
import { native } from "./dialects/native.ts"
import * as Discovery from "./Discovery.ts"
import type { Document, DocumentPath } from "./Document.ts"
import * as DocumentReader from "./DocumentReader.ts"
import * as Precedence from "./Precedence.ts"

type Requirements = FileSystem.FileSystem | Path.Path

export interface DiscoverOptions extends Discovery.DiscoverOptions {
  /** Whether a project entry may take the place of the person's own entry of that name. Default: never. */
  readonly approved?: Precedence.Approved
}

/** The configuration that applies in a working directory; see {@link Discovery} for where it is looked for. */
export const discover = (options: DiscoverOptions): Layer.Layer<McpConfig.McpConfig, never, Requirements> =>
  Layer.effect(McpConfig.McpConfig, discoverConfig(options))

/**
 * One file, named by the person; relative to `cwd`.
 *
 * Its scope is `project` unless it lies in the person's own configuration folder. Fails where it cannot be read.
 */
export const file = (
  name: string,
  options: { readonly cwd: string; readonly configDirectory: string }
): Layer.Layer<McpConfig.McpConfig, ConfigError, Requirements> =>
  Layer.effect(McpConfig.McpConfig, fileConfig(name, options))

/**
 * Entries in the native form, by name, from a program that states where they come from. They are data from outside all
 * the same: a bad one is skipped.
 */
export const values = (
  entries: Readonly<Record<string, unknown>>,
  options: {
    readonly origin: Origin
    /** Hook modules, as under `hooks` in a file. Default: none. */
    readonly hooks?: ReadonlyArray<string>
  }
): Layer.Layer<McpConfig.McpConfig, ConfigError, Requirements> =>
  Layer.effect(McpConfig.McpConfig, valuesConfig(entries, options))

const discoverConfig = Effect.fn("ConfigLayer.discover")(function* (
  options: DiscoverOptions
): Effect.fn.Return<McpConfig.McpConfig["Service"], never, Requirements> {
  const candidates = yield* Discovery.candidates(options)
  const read = new Map<string, Result.Result<Option.Option<Document>, ConfigError>>()
  const documents = new Map<string, McpConfig.ConfigDocument>()
  const failed = new Map<string, McpConfig.FailedDocument>()
  const readings: Array<Reading> = []
  for (const { origin, dialect, sizeLimit, serversAt } of candidates) {
    // One file can hold servers of two ranks.
    const known = read.get(origin.source)
    const document = known ?? (yield* Effect.result(DocumentReader.read(origin.source, { sizeLimit })))
    read.set(origin.source, document)
    if (Result.isFailure(document)) {
      documents.set(origin.source, { origin, found: true })
      failed.set(origin.source, { origin, reason: document.failure.reason })
      continue
    }
    documents.set(origin.source, { origin, found: Option.isSome(document.success) })
    if (Option.isNone(document.success)) continue
    const reading = yield* Effect.result(decode(document.success.value, dialect, origin, serversAt))
    if (Result.isSuccess(reading)) readings.push(reading.success)
    else failed.set(origin.source, { origin, reason: reading.failure.reason })
  }
  return yield* assemble(readings, {
    documents: [...documents.values()],
    failed: [...failed.values()],
    approved: options.approved ?? (() => Effect.succeed(false))
  })
})

const fileConfig = Effect.fn("ConfigLayer.file")(function* (
  name: string,
  options: { readonly cwd: string; readonly configDirectory: string }
): Effect.fn.Return<McpConfig.McpConfig["Service"], ConfigError, Requirements> {
  const path = yield* Path.Path
  if (/^[a-z]+:\/\//i.test(name)) {
    // Only the scheme is shown: a URL can hold a credential.
    return yield* unreadable(
      name.slice(0, name.indexOf("://") + 3),
      "a configuration from a URL is not supported by this version; download it, look at it, and name the file"
    )
  }
  const source = path.resolve(options.cwd, name)
  const origin = yield* Discovery.originOfFile(source, path.resolve(options.configDirectory))
  const document = yield* DocumentReader.read(source)
  if (Option.isNone(document)) {
    return yield* unreadable(source, "does not exist; check the path, which starts from the working directory")
  }
  const dialect = Discovery.dialectOf(path.basename(source), document.value)
  return yield* assemble([yield* decode(document.value, dialect, origin)], { documents: [{ origin, found: true }] })
})

const valuesConfig = Effect.fn("ConfigLayer.values")(function* (
  entries: Readonly<Record<string, unknown>>,
  options: { readonly origin: Origin; readonly hooks?: ReadonlyArray<string> }
): Effect.fn.Return<McpConfig.McpConfig["Service"], ConfigError, Requirements> {
  const { origin, hooks } = options
  const document = yield* Effect.fromResult(
    DocumentReader.fromValue(origin.source, { mcpServers: entries, ...(hooks === undefined ? {} : { hooks }) })
  ).pipe(Effect.mapError((reason) => new ConfigError({ reason })))
  return yield* assemble([yield* decode(document, native, origin)], { documents: [{ origin, found: true }] })
})

const unreadable = (path: string, description: string): ConfigError =>
  new ConfigError({ reason: new DocumentUnreadable({ path, description }) })

const decode = Effect.fnUntraced(function* (
  document: Document,
  dialect: Dialect,
  origin: Origin,
  serversAt?: DocumentPath
): Effect.fn.Return<Reading, ConfigError, Requirements> {
  const path = yield* Path.Path
  const environment = yield* Environment
  const decoded = dialect.decode(document, {
    origin,
    environment,
    path,
    ...(serversAt === undefined ? {} : { serversAt })
  })
  const reading = yield* Effect.fromResult(decoded).pipe(Effect.mapError((reason) => new ConfigError({ reason })))
  return { ...reading, warnings: [...reading.warnings, ...(yield* missingHooks(reading))] }
})

/** A hook that is not there fails each call; said at load, the person learns of it sooner. */
const missingHooks = Effect.fnUntraced(function* (
  reading: Reading
): Effect.fn.Return<ReadonlyArray<McpConfig.ConfigWarning>, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const hooks = reading.servers.flatMap((server) => (server._tag === "Read" ? server.entry.hooks : []))
  const warnings: Array<McpConfig.ConfigWarning> = []
  for (const { path, place } of new Map(hooks.map((hook) => [hook.path, hook])).values()) {
    if (yield* fs.exists(path).pipe(Effect.orElseSucceed(() => true))) continue
    warnings.push({
      place,
      message: `the hook ${path} does not exist, and calls will fail; create it, or remove it here`
    })
  }
  return warnings
})

/** The service over readings in order of precedence. */
const assemble = Effect.fnUntraced(function* (
  readings: ReadonlyArray<Reading>,
  options: {
    readonly documents: ReadonlyArray<McpConfig.ConfigDocument>
    readonly failed?: ReadonlyArray<McpConfig.FailedDocument>
    readonly approved?: Precedence.Approved
  }
): Effect.fn.Return<McpConfig.McpConfig["Service"]> {
  const { winners, shadowed } = yield* Precedence.decide(
    readings.flatMap((reading) => reading.servers),
    options.approved ?? (() => Effect.succeed(false))
  )
  return McpConfig.make({
    servers: winners.flatMap((winner) => (winner._tag === "Read" ? [winner.entry] : [])),
    skipped: winners.flatMap((winner) =>
      winner._tag === "Skipped" ? [{ name: winner.name, origin: winner.origin, reason: winner.reason }] : []
    ),
    shadowed,
    warnings: readings.flatMap((reading) => reading.warnings),
    documents: options.documents,
    failed: options.failed ?? []
  })
})
