/** What the process knows before any flag is read. */
import * as Context from "effect/Context"

export class Invocation extends Context.Service<
  Invocation,
  {
    readonly version: string
    /** Absolute folder where the person stands; relative paths start there. */
    readonly directory: string
    readonly environment: Readonly<Record<string, string | undefined>>
    /** What follows the name of the program. */
    readonly arguments: ReadonlyArray<string>
  }
>()("letterhead/cli/Invocation") {}

/**
 * Whether `--json` was given, before the command line is parsed: an error in the command line is reported as JSON too.
 */
export const wantsJson = (args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  return (end === -1 ? args : args.slice(0, end)).some((arg) => arg === "--json" || arg === "--json=true")
}
