/**
 * Hooks that a runtime brings itself, as effects: what `mcp.call.before` is to a module.
 *
 * They run under the same rules as modules (see `HookSource`): in order, once per call, within the budget, on a copy of
 * the headers, with values masked that are not the configuration's own text. They are the runtime's own code, so no
 * approval is asked for. Provide the list where the layers are built:
 * `Layer.provide(Letterhead.layer(), Layer.succeed(CallHooks, [hook]))`.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { CallContext } from "../call/CallContext.ts"
import type { ServerEntry } from "../server/ServerEntry.ts"
import { type HookInput, kindOf } from "./HookModule.ts"

/** Headers to set, by name without regard to case; an empty or undefined value is not sent. Others stay as they are. */
export type HookChanges = Readonly<Record<string, string | undefined>>

export interface CallHook {
  /** Appears in provenance and in errors. */
  readonly name: string
  /** Names of the server entries it is for. Default: all. */
  readonly servers?: ReadonlyArray<string>
  /**
   * What to change of the headers resolved so far. `call`, which is also the effect's `CurrentCall`, has the principal.
   *
   * A failure fails the call; of it only its kind is shown, never its text. A hook that knows its changes at once
   * returns `Effect.succeed(changes)`: that is read on the spot, while any other effect costs the call two fibers.
   */
  readonly run: (input: HookInput, headers: HookChanges, call: CallContext) => Effect.Effect<HookChanges, unknown>
}

/** The runtime's hooks, in the order they run. Default: none. */
export const CallHooks: Context.Reference<ReadonlyArray<CallHook>> = Context.Reference<ReadonlyArray<CallHook>>(
  "@letterhead/core/sources/CallHooks",
  { defaultValue: () => [] }
)

/** Whether a hook is for an entry. */
export const concerns = (hook: CallHook, entry: ServerEntry): boolean =>
  hook.servers === undefined || hook.servers.includes(entry.name)

/** What became of a hook, without a word of its own. */
export const describe = (cause: Cause.Cause<unknown>): string => {
  const [reason] = cause.reasons
  if (reason === undefined || Cause.isInterruptReason(reason)) return "was interrupted"
  return Cause.isFailReason(reason) ? `failed (${kindOf(reason.error)})` : `died (${kindOf(reason.defect)})`
}
