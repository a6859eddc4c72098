/**
 * The sources of a runtime: a list that its author can extend. Order matters only between equal ranks.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type { HelperRunner } from "../helper/HelperRunner.ts"
import type { SecretStore } from "../secrets/SecretStore.ts"
import type { TrustGate } from "../trust/TrustGate.ts"
import * as CredentialSource from "./CredentialSource.ts"
import type { HeaderSource } from "./HeaderSource.ts"
import * as HelperSource from "./HelperSource.ts"
import * as HookSource from "./HookSource.ts"
import * as PassthroughSource from "./PassthroughSource.ts"
import * as StaticSource from "./StaticSource.ts"

export class HeaderSources extends Context.Service<HeaderSources, ReadonlyArray<HeaderSource>>()(
  "@letterhead/core/sources/HeaderSources"
) {}

/** What the sources of this package need. */
export type Requirements = FileSystem.FileSystem | Path.Path | TrustGate | HelperRunner | SecretStore

/** The sources of this package, and those given. */
export const layerWith = (further: ReadonlyArray<HeaderSource>): Layer.Layer<HeaderSources, never, Requirements> =>
  Layer.effect(
    HeaderSources,
    Effect.map(
      Effect.all([
        PassthroughSource.make,
        StaticSource.make,
        CredentialSource.make,
        HelperSource.make,
        PassthroughSource.makeOverride,
        HookSource.make
      ]),
      (own) => [...own, ...further]
    )
  )

/** The sources of this package. */
export const layer: Layer.Layer<HeaderSources, never, Requirements> = layerWith([])
