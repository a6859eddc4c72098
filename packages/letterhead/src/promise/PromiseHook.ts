/** A hook of a runtime that does not use Effect: what a hook module exports, as an object. */
import type { CallHook, HookChanges } from "@letterhead/core/sources/CallHooks"
import { HOOK_KEY, type HookInput, type HookOutput } from "@letterhead/core/sources/HookModule"
import * as Effect from "effect/Effect"

export interface PromiseHook {
  /** Appears in provenance and in errors. */
  readonly name: string
  /** Names of the server entries it is for. Default: all. */
  readonly servers?: ReadonlyArray<string>
  /** Adds, overrides or deletes what stands in `output.headers`; an empty or undefined value is not sent. */
  "mcp.call.before"(input: HookInput, output: HookOutput): Promise<void> | void
}

/** The same hook as an effect; one that answers at once costs no waiting. */
export const callHook = (hook: PromiseHook): CallHook => ({
  name: hook.name,
  ...(hook.servers === undefined ? {} : { servers: hook.servers }),
  run: (input, headers) => {
    const output: HookOutput = { headers: { ...headers } }
    try {
      const answer = hook[HOOK_KEY](input, output)
      if (answer === undefined) return Effect.succeed(changes(headers, output))
      // One that rejects before anybody waits for it would end the process, which prints the error as it is.
      answer.catch(() => undefined)
      return Effect.map(
        Effect.promise(() => answer),
        () => changes(headers, output)
      )
    } catch (error) {
      return Effect.die(error)
    }
  }
})

/** What is left, and what was deleted. */
const changes = (before: HookChanges, { headers }: HookOutput): HookChanges => ({
  ...Object.fromEntries(Object.keys(before).map((name) => [name, undefined])),
  ...headers
})
