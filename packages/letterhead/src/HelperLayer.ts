/**
 * Helpers as processes of Node, loaded when the first one is run.
 *
 * Most servers have no helper, and a short command is mostly loading: what starts processes and reads their output
 * costs nothing until a helper is asked.
 */
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"

type Requirements = FileSystem.FileSystem | Path.Path | TrustGate

export const layer: Layer.Layer<HelperRunner, never, Requirements> = Layer.effect(
  HelperRunner,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const requirements = yield* Effect.context<Requirements>()
    const runner = yield* Effect.promise(() => import("./HelperProcesses.ts")).pipe(
      Effect.flatMap((processes) => Layer.buildWithScope(processes.layer, scope)),
      Effect.map((built) => Context.get(built, HelperRunner)),
      Effect.provideContext(requirements),
      Effect.uninterruptible,
      Effect.cached
    )
    return { run: (helper, entry, options) => Effect.flatMap(runner, (loaded) => loaded.run(helper, entry, options)) }
  })
)
