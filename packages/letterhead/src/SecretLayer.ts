/**
 * The person's secret store, loaded when the first secret is asked for.
 *
 * Most servers have no credentials, and a short command is mostly loading: the keychain, and the process that speaks
 * to it, cost nothing until an entry with credentials is resolved.
 */
import { layerFile, SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { Environment } from "@letterhead/core/server/Environment"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as LateService from "./LateService.ts"

export interface SecretOptions {
  /** Absolute folder of the person's own. */
  readonly directory: string
  /** `auto`: the keychain, else files; `filesystem`: files. Default: what the configuration says, else `auto`. */
  readonly storage?: "auto" | "filesystem"
  /** What leads to the keychain, such as the address of the session's bus. */
  readonly environment: Environment
}

export const layer = (
  options: SecretOptions
): Layer.Layer<SecretStore, never, McpConfig | FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    SecretStore,
    Effect.gen(function* () {
      const config = yield* McpConfig
      const { directory, environment } = options
      const storage = options.storage ?? config.credentialStorage ?? "auto"
      const load = Effect.gen(function* () {
        if (storage === "filesystem") return layerFile({ directory })
        const { layer } = yield* Effect.promise(() => import("@letterhead/keychain/KeychainStore"))
        return layer({ environment, fallback: { directory } })
      })
      const store = yield* LateService.make(SecretStore, load)
      return {
        get: (key) => Effect.flatMap(store, (loaded) => loaded.get(key)),
        set: (key, value) => Effect.flatMap(store, (loaded) => loaded.set(key, value)),
        modify: (key, change) => Effect.flatMap(store, (loaded) => loaded.modify(key, change)),
        remove: (key) => Effect.flatMap(store, (loaded) => loaded.remove(key)),
        list: Effect.flatMap(store, (loaded) => loaded.list)
      }
    })
  )
