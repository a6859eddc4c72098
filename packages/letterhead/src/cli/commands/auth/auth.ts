/** `letterhead auth`: what a sign-in consists of. */
import * as Command from "effect/cli/Command"
import { inspect } from "./inspect.ts"

export const auth = Command.make("auth").pipe(
  Command.withDescription("Look at how you are signed in"),
  Command.withSubcommands([inspect])
)
