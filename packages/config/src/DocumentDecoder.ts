/** Makes a reading of a document that was read, and looks whether the hooks it names are there. */
import { ConfigError } from "@letterhead/core/server/ConfigError"
import { Environment } from "@letterhead/core/server/Environment"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { HookModule, Origin } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { Dialect, Reading, ServerReading } from "./Dialect.ts"
import type { Document, DocumentPath } from "./Document.ts"

/** What a document says, and where it came from. */
export interface Sourced {
  readonly origin: Origin
  readonly reading: Reading
}

export const decode = Effect.fnUntraced(function* (
  document: Document,
  dialect: Dialect,
  origin: Origin,
  serversAt?: DocumentPath
): Effect.fn.Return<Sourced, ConfigError, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const environment = yield* Environment
  const decoded = dialect.decode(document, {
    origin,
    environment,
    path,
    ...(serversAt === undefined ? {} : { serversAt })
  })
  const reading = yield* Effect.fromResult(decoded).pipe(Effect.mapError((reason) => new ConfigError({ reason })))
  return { origin, reading: yield* examineHooks(reading) }
})

/**
 * A hook that is not there fails each call; said at load, the person learns of it sooner. A plugin that is a folder is
 * a package, and as such left alone.
 */
const examineHooks = Effect.fnUntraced(function* (
  reading: Reading
): Effect.fn.Return<Reading, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const hooks = new Map(reading.servers.flatMap(hooksOf).map((hook) => [hook.path, hook]))
  const warnings: Array<ConfigWarning> = []
  const folders = new Set<string>()
  for (const { optional, path, place } of hooks.values()) {
    const type = yield* fs.stat(path).pipe(
      Effect.map((info) => info.type),
      Effect.catch((error) => Effect.succeed(error.reason._tag === "NotFound" ? ("Missing" as const) : undefined))
    )
    if (type === "Missing") {
      warnings.push({
        place,
        message: `the hook ${path} does not exist, and calls will fail; create it, or remove it here`
      })
    } else if (type === "Directory" && optional === true) {
      folders.add(path)
      warnings.push({ place, message: `the plugin ${path} is a folder, and is left alone` })
    }
  }
  return {
    ...reading,
    servers: reading.servers.map((server) =>
      server._tag === "Skipped"
        ? server
        : { ...server, entry: { ...server.entry, hooks: hooksOf(server).filter(({ path }) => !folders.has(path)) } }
    ),
    warnings: [...reading.warnings, ...warnings]
  }
})

const hooksOf = (server: ServerReading): ReadonlyArray<HookModule> => (server._tag === "Read" ? server.entry.hooks : [])
