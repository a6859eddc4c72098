/**
 * Runs helpers: programs that print headers. The service; `HelperScheduler` runs them as processes.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { HeaderError } from "../headers/HeaderError.ts"
import type { Helper, ServerEntry } from "../server/ServerEntry.ts"
import type { HelperOutput } from "./HelperOutput.ts"

/** Helpers that run at once. */
export const CONCURRENCY = 4

export interface RunOptions {
  /** A person or a connect asked for this run: start it even where an earlier failure says to wait. Default false. */
  readonly explicit?: boolean
}

export class HelperRunner extends Context.Service<
  HelperRunner,
  {
    /**
     * Runs the helper of `entry` and gives what it printed.
     *
     * One run per server at a time, shared by all who wait; at most {@link CONCURRENCY} at once.
     */
    readonly run: (helper: Helper, entry: ServerEntry, options?: RunOptions) => Effect.Effect<HelperOutput, HeaderError>
  }
>()("@letterhead/core/helper/HelperRunner") {}
