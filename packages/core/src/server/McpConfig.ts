/**
 * The servers a runtime knows, whoever read them.
 *
 * `@letterhead/config` provides it from files; {@link layer} provides it from entries a program made itself. One bad
 * entry never hides the others: it is listed in `skipped`, and asking for it says why.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigError, type ConfigErrorReason, ServerSkipped, ServerUnknown } from "./ConfigError.ts"
import type { Origin, Place, ServerEntry } from "./ServerEntry.ts"

/** An entry that is not available, and why. */
export interface SkippedServer {
  readonly name: string
  readonly origin: Origin
  readonly reason: ConfigErrorReason
}

/** An entry that another of the same name, nearer to the working directory, hides. */
export interface ShadowedServer {
  readonly name: string
  readonly place: Place
  readonly by: Place
  /** Why, where it is not for being farther away. */
  readonly reason?: string
}

/** Something that does not stop any server from working: an unknown key, a grant that a project file cannot give. */
export interface ConfigWarning {
  readonly place: Place
  readonly message: string
}

/** A document that was read, or looked for. */
export interface ConfigDocument {
  readonly origin: Origin
  readonly found: boolean
}

/** A document that is there and whose servers are not known, because it cannot be read or is broken. */
export interface FailedDocument {
  readonly origin: Origin
  readonly reason: ConfigErrorReason
}

/** `auto`: the keychain, else files. */
export type CredentialStorage = "auto" | "filesystem"

export class McpConfig extends Context.Service<
  McpConfig,
  {
    readonly servers: ReadonlyMap<string, ServerEntry>
    readonly skipped: ReadonlyArray<SkippedServer>
    readonly shadowed: ReadonlyArray<ShadowedServer>
    readonly warnings: ReadonlyArray<ConfigWarning>
    /** Every document that was considered, in order of precedence. */
    readonly documents: ReadonlyArray<ConfigDocument>
    readonly failed: ReadonlyArray<FailedDocument>
    /** Where secrets are kept: in the keychain where there is one, or in files. Absent where no document says. */
    readonly credentialStorage?: CredentialStorage
    /** The entry of that name; fails with ServerSkipped or ServerUnknown. */
    readonly get: (name: string) => Effect.Effect<ServerEntry, ConfigError>
  }
>()("@letterhead/core/server/McpConfig") {}

/** The service over what was read. */
export const make = (parts: {
  readonly servers: ReadonlyArray<ServerEntry>
  readonly skipped?: ReadonlyArray<SkippedServer>
  readonly shadowed?: ReadonlyArray<ShadowedServer>
  readonly warnings?: ReadonlyArray<ConfigWarning>
  readonly documents?: ReadonlyArray<ConfigDocument>
  readonly failed?: ReadonlyArray<FailedDocument>
  readonly credentialStorage?: CredentialStorage
}): McpConfig["Service"] => {
  const servers = new Map(parts.servers.map((entry) => [entry.name, entry]))
  const skipped = parts.skipped ?? []
  return {
    servers,
    skipped,
    shadowed: parts.shadowed ?? [],
    warnings: parts.warnings ?? [],
    documents: parts.documents ?? [],
    failed: parts.failed ?? [],
    ...(parts.credentialStorage === undefined ? {} : { credentialStorage: parts.credentialStorage }),
    get: (name) => {
      const entry = servers.get(name)
      if (entry !== undefined) return Effect.succeed(entry)
      const skip = skipped.find((candidate) => candidate.name === name)
      return Effect.fail(
        new ConfigError({
          reason:
            skip === undefined
              ? new ServerUnknown({ server: name, known: [...servers.keys()] })
              : new ServerSkipped({ server: name, why: skip.reason.message })
        })
      )
    }
  }
}

/** Entries that a program made itself; each states its origin. */
export const layer = (servers: ReadonlyArray<ServerEntry>): Layer.Layer<McpConfig> =>
  Layer.succeed(McpConfig, make({ servers }))
