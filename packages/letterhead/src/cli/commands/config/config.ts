/** `letterhead config`: the files that are read, and what they say. */
import * as Command from "effect/cli/Command"
import { check } from "./check.ts"
import { importConfig } from "./import.ts"
import { path } from "./path.ts"
import { schema } from "./schema.ts"

export const config = Command.make("config").pipe(
  Command.withDescription("Look at the configuration"),
  Command.withSubcommands([path, check, schema, importConfig])
)
