/**
 * The environment variables that templates name and helpers inherit.
 *
 * A reference, empty by default, so that core reads nothing of its own accord; a runtime provides its own record
 * (`Letterhead.layer` provides the live environment of the process). It is a plain record rather than a
 * `ConfigProvider` because a helper inherits *all* variables, and a `ConfigProvider` can neither list them nor tell an
 * empty variable from a missing one.
 */
import * as Context from "effect/Context"

export type Environment = Readonly<Record<string, string | undefined>>

/** Default: no variables. */
export const Environment: Context.Reference<Environment> = Context.Reference<Environment>(
  "@letterhead/core/server/Environment",
  { defaultValue: () => ({}) }
)
