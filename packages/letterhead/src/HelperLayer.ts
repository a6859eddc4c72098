/**
 * Helpers as processes of Node, loaded when the first one is run.
 *
 * Most servers have no helper, and a short command is mostly loading: what starts processes and reads their output
 * costs nothing until a helper is asked.
 */
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as LateService from "./LateService.ts"

const processes = Effect.map(
  Effect.promise(() => import("./HelperProcesses.ts")),
  ({ layer }) => layer
)

export const layer: Layer.Layer<HelperRunner, never, FileSystem.FileSystem | Path.Path | TrustGate> = Layer.effect(
  HelperRunner,
  Effect.map(LateService.make(HelperRunner, processes), (runner) => ({
    run: (helper, entry, options) => Effect.flatMap(runner, (loaded) => loaded.run(helper, entry, options))
  }))
)
