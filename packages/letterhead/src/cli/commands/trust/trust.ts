/** `letterhead trust`: the decisions about what came with somebody else's files. */
import * as Command from "effect/cli/Command"
import { approve } from "./approve.ts"
import { list } from "./list.ts"
import { revoke } from "./revoke.ts"

export const trust = Command.make("trust").pipe(
  Command.withDescription("Decide what may run or be sent for servers that came with a project"),
  Command.withSubcommands([list, approve, revoke])
)
