/**
 * The programs of stdio servers, loaded when the first one is started: most servers are reached over HTTP.
 */
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import { StdioPrograms } from "@letterhead/mcp/StdioPrograms"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const layer: Layer.Layer<StdioPrograms, never, TrustGate> = Layer.effect(
  StdioPrograms,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const requirements = yield* Effect.context<TrustGate>()
    const programs = yield* Effect.promise(() => import("./ProgramProcesses.ts")).pipe(
      Effect.flatMap((processes) => Layer.buildWithScope(processes.layer, scope)),
      Effect.map((built) => Context.get(built, StdioPrograms)),
      Effect.provideContext(requirements),
      Effect.uninterruptible,
      Effect.cached
    )
    return { start: (entry) => Effect.flatMap(programs, (loaded) => loaded.start(entry)) }
  })
)
