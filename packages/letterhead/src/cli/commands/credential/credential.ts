/** `letterhead credential`: what servers ask a person for. */
import * as Command from "effect/cli/Command"
import { list } from "./list.ts"
import { remove } from "./remove.ts"
import { set } from "./set.ts"

export const credential = Command.make("credential").pipe(
  Command.withDescription("Fill in the credentials that servers ask for"),
  Command.withSubcommands([set, list, remove])
)
