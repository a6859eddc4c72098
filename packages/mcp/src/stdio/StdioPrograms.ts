/**
 * Starts the programs of stdio servers. The service; `StdioProcesses` starts them as processes.
 */
import { HeaderError, type HeaderErrorReason, TrustRefused } from "@letterhead/core/headers/HeaderError"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { McpError, type ProgramEnded, ProgramNotStarted } from "../McpError.ts"

/** A program that runs. */
export interface Program {
  /** Its process id, which is that of its process group. */
  readonly pid: number
  /** Hands over text for its standard input; false where it takes none any more. */
  readonly write: (text: string) => Effect.Effect<boolean>
  /** Its standard output, to be read once. */
  readonly output: Stream.Stream<Uint8Array>
  /** Waits until it has ended, and says how. */
  readonly ended: Effect.Effect<ProgramEnded>
}

export class StdioPrograms extends Context.Service<
  StdioPrograms,
  {
    /** Starts the program of a stdio entry; it ends with the scope. Fails with ProgramNotStarted. */
    readonly start: (entry: ServerEntry) => Effect.Effect<Program, McpError, Scope.Scope>
  }
>()("@letterhead/mcp/stdio/StdioPrograms") {}

/** Starts no program: for a runtime that serves others, whose configuration is not to run anything on its machine. */
export const layerDenyAll: Layer.Layer<StdioPrograms> = Layer.succeed(StdioPrograms, {
  start: (entry) =>
    Effect.fail(
      notStarted(entry, new TrustRefused({ path: entry.name, rule: "is a program, and this runtime starts none" }))
    )
})

/** The error of a program that was not started. */
export const notStarted = (entry: ServerEntry, error: HeaderError | HeaderErrorReason): McpError =>
  new McpError({
    server: entry.name,
    reason: new ProgramNotStarted({
      error: error._tag === "HeaderError" ? error : new HeaderError({ server: entry.name, reason: error })
    })
  })
