/**
 * The programs of stdio servers, loaded when the first one is started: most servers are reached over HTTP.
 */
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import { StdioPrograms } from "@letterhead/mcp/stdio/StdioPrograms"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LateService from "./LateService.ts"

const processes = Effect.map(
  Effect.promise(() => import("./ProgramProcesses.ts")),
  ({ layer }) => layer
)

export const layer: Layer.Layer<StdioPrograms, never, TrustGate> = Layer.effect(
  StdioPrograms,
  Effect.map(LateService.make(StdioPrograms, processes), (programs) => ({
    start: (entry) => Effect.flatMap(programs, (loaded) => loaded.start(entry))
  }))
)
