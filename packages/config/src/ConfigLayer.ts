/**
 * The layers that provide {@link McpConfig.McpConfig}: from the files a person has ({@link discover}), from one file or
 * URL that is named ({@link file}, {@link remote}), or from values of a program ({@link values}).
 *
 * The scope of an entry follows from where its document lies and is fixed before the document is read. One bad entry
 * skips one server; a document that cannot be read is listed under `failed`, and the others count all the same, except
 * that a document the person named must be readable. Nothing is executed, no message quotes a value, and nothing is sent
 * but a GET to a URL that was named or that a file extends.
 *
 * Needs FileSystem and Path, and reads the {@link Environment} reference to tell which variables are set. What `extends`
 * names is read with the HttpClient of {@link RemoteOptions}, which is built when there is something to read. Folders are
 * options: nothing is taken from a project's environment.
 */
import { ConfigError, DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import type { Origin, OriginScope } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { HttpClient } from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Dialects from "./Dialects.ts"
import { native } from "./dialects/native.ts"
import * as Discovery from "./Discovery.ts"
import type { Document } from "./Document.ts"
import * as DocumentDecoder from "./DocumentDecoder.ts"
import * as DocumentReader from "./DocumentReader.ts"
import * as Precedence from "./Precedence.ts"
import * as RemoteUrl from "./RemoteUrl.ts"

type Requirements = FileSystem.FileSystem | Path.Path

/** Files that are looked at and read at once. */
const READ_CONCURRENCY = 16

export interface RemoteOptions {
  /** Reads what a file extends; built when a file does. Default: none, and such a document counts as failed. */
  readonly httpClient?: Layer.Layer<HttpClient>
}

export interface DiscoverOptions extends Discovery.DiscoverOptions, RemoteOptions {
  /** Whether a project entry may take the place of the person's own entry of that name. Default: never. */
  readonly approved?: Precedence.Approved
}

export interface FileOptions extends RemoteOptions {
  /** Absolute path that a relative name starts from. */
  readonly cwd: string
  /** Absolute path of the person's own configuration folder. */
  readonly configDirectory: string
}

/** The configuration that applies in a working directory; see {@link Discovery} for where it is looked for. */
export const discover = (options: DiscoverOptions): Layer.Layer<McpConfig.McpConfig, never, Requirements> =>
  Layer.effect(McpConfig.McpConfig, discoverConfig(options))

/**
 * One file, named by the person; relative to `cwd`.
 *
 * Its scope is `project` unless it lies in the person's own configuration folder. Fails where it cannot be read.
 */
export const file = (name: string, options: FileOptions): Layer.Layer<McpConfig.McpConfig, ConfigError, Requirements> =>
  Layer.effect(McpConfig.McpConfig, fileConfig(name, options))

/** One URL, named by the person; its scope is `remote`. Fails where it cannot be read. */
export const remote = (url: string): Layer.Layer<McpConfig.McpConfig, ConfigError, Requirements | HttpClient> =>
  Layer.effect(McpConfig.McpConfig, remoteConfig(url))

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
  const read = yield* readAll(candidates)
  const documents = new Map<string, McpConfig.ConfigDocument>()
  const failed = new Map<string, McpConfig.FailedDocument>()
  const sourced: Array<DocumentDecoder.Sourced> = []
  for (const { origin, dialect, serversAt } of candidates) {
    const document = read.get(origin.source) ?? Result.succeed(Option.none())
    if (Result.isFailure(document)) {
      documents.set(origin.source, { origin, found: true })
      failed.set(origin.source, { origin, reason: document.failure.reason })
      continue
    }
    documents.set(origin.source, { origin, found: Option.isSome(document.success) })
    if (Option.isNone(document.success)) continue
    const decoded = yield* Effect.result(DocumentDecoder.decode(document.success.value, dialect, origin, serversAt))
    if (Result.isFailure(decoded)) {
      failed.set(origin.source, { origin, reason: decoded.failure.reason })
      continue
    }
    const all = yield* withExtensions(decoded.success, options)
    sourced.push(...all.sourced)
    for (const extended of all.documents) documents.set(extended.origin.source, extended)
    for (const extended of all.failed) failed.set(extended.origin.source, extended)
  }
  return yield* assemble(sourced, {
    documents: [...documents.values()],
    failed: [...failed.values()],
    approved: options.approved ?? (() => Effect.succeed(false))
  })
})

/** What lies at each place, by path: one file can hold servers of two ranks. */
const readAll = Effect.fnUntraced(function* (
  candidates: ReadonlyArray<Discovery.Candidate>
): Effect.fn.Return<
  ReadonlyMap<string, Result.Result<Option.Option<Document>, ConfigError>>,
  never,
  FileSystem.FileSystem | Path.Path
> {
  const limits = new Map(candidates.map(({ origin, sizeLimit }) => [origin.source, sizeLimit]))
  // Most of them are not there: a person waits for the slowest look, not for all of them in turn.
  const documents = yield* Effect.forEach(
    limits,
    ([source, sizeLimit]) =>
      Effect.map(Effect.result(DocumentReader.read(source, { sizeLimit })), (document) => [source, document] as const),
    { concurrency: READ_CONCURRENCY }
  )
  return new Map(documents)
})

const fileConfig = Effect.fn("ConfigLayer.file")(function* (
  name: string,
  options: FileOptions
): Effect.fn.Return<McpConfig.McpConfig["Service"], ConfigError, Requirements> {
  const path = yield* Path.Path
  if (RemoteUrl.isUrl(name)) {
    // Only the scheme is shown: a URL can hold a credential.
    return yield* RemoteUrl.unreadable(name.slice(0, name.indexOf("://") + 3), "is a URL, not a file; read it as one")
  }
  const named = path.resolve(options.cwd, name)
  const origin = yield* Discovery.originOfFile(named, path.resolve(options.configDirectory))
  const { source } = origin
  const document = yield* DocumentReader.read(source)
  if (Option.isNone(document)) {
    return yield* new ConfigError({
      reason: new DocumentUnreadable({
        path: source,
        description: "does not exist; check the path, which starts from the working directory"
      })
    })
  }
  const dialect = yield* Effect.fromResult(Dialects.recognise(source.replaceAll(path.sep, "/"), document.value)).pipe(
    Effect.mapError((reason) => new ConfigError({ reason }))
  )
  const all = yield* withExtensions(yield* DocumentDecoder.decode(document.value, dialect, origin), options)
  return yield* assemble(all.sourced, { ...all, documents: [{ origin, found: true }, ...all.documents] })
})

const remoteConfig = Effect.fn("ConfigLayer.remote")(function* (
  url: string
): Effect.fn.Return<McpConfig.McpConfig["Service"], ConfigError, Requirements | HttpClient> {
  const sourced = yield* (yield* remoteModule).load(url)
  return yield* assemble([sourced], { documents: [{ origin: sourced.origin, found: true }] })
})

const valuesConfig = Effect.fn("ConfigLayer.values")(function* (
  entries: Readonly<Record<string, unknown>>,
  options: { readonly origin: Origin; readonly hooks?: ReadonlyArray<string> }
): Effect.fn.Return<McpConfig.McpConfig["Service"], ConfigError, Requirements> {
  const { origin, hooks } = options
  const document = yield* Effect.fromResult(
    DocumentReader.fromValue(origin.source, { mcpServers: entries, ...(hooks === undefined ? {} : { hooks }) })
  ).pipe(Effect.mapError((reason) => new ConfigError({ reason })))
  const sourced = yield* DocumentDecoder.decode(document, native, origin)
  return yield* assemble([sourced], { documents: [{ origin, found: true }] })
})

/** Loaded when something is to be fetched: most configurations are files alone. */
const remoteModule = Effect.promise(() => import("./RemoteConfig.ts"))

/** A document, and after it those that it extends. */
const withExtensions = Effect.fnUntraced(function* (own: DocumentDecoder.Sourced, { httpClient }: RemoteOptions) {
  const extensions = own.reading.extends ?? []
  if (extensions.length === 0) return { sourced: [own], documents: [], failed: [] }
  const { follow } = yield* remoteModule
  const followed = yield* follow(extensions, httpClient)
  return { ...followed, sourced: [own, ...followed.sourced] }
})

/** The service over what documents say, in order of precedence. */
const assemble = Effect.fnUntraced(function* (
  sourced: ReadonlyArray<DocumentDecoder.Sourced>,
  options: {
    readonly documents: ReadonlyArray<McpConfig.ConfigDocument>
    readonly failed?: ReadonlyArray<McpConfig.FailedDocument>
    readonly approved?: Precedence.Approved
  }
): Effect.fn.Return<McpConfig.McpConfig["Service"]> {
  const { winners, shadowed } = yield* Precedence.decide(
    sourced.flatMap(({ reading }) => reading.servers),
    options.approved ?? (() => Effect.succeed(false))
  )
  const credentialStorage = storageOf(sourced)
  return McpConfig.make({
    servers: winners.flatMap((winner) => (winner._tag === "Read" ? [winner.entry] : [])),
    skipped: winners.flatMap((winner) =>
      winner._tag === "Skipped" ? [{ name: winner.name, origin: winner.origin, reason: winner.reason }] : []
    ),
    shadowed,
    warnings: sourced.flatMap(({ reading }) => reading.warnings),
    documents: options.documents,
    failed: options.failed ?? [],
    ...(credentialStorage === undefined ? {} : { credentialStorage })
  })
})

/** Where secrets are kept is the person's own choice before it is a project's, and never that of a remote document. */
const storageOf = (sourced: ReadonlyArray<DocumentDecoder.Sourced>): McpConfig.CredentialStorage | undefined =>
  STORAGE_SCOPES.map(
    (scope) =>
      sourced.find(({ origin, reading }) => origin.scope === scope && reading.credentialStorage !== undefined)?.reading
        .credentialStorage
  ).find((storage) => storage !== undefined)

const STORAGE_SCOPES: ReadonlyArray<OriginScope> = ["managed", "user", "project"]
