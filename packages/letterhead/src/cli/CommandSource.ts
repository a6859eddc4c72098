/** The command itself, from its modules: in a checkout. The bundle has `CommandBundle` in place of this. */
import * as NodeModule from "node:module"
import type * as Cli from "./cli.ts"

export type Command = Pick<typeof Cli, "run">

export interface LoadOptions {
  /** Absolute path of the folder, of the person's own, that compiled code is kept in. */
  readonly compiled: string
  /** The first argument: what is kept differs by verb. */
  readonly verb: string
}

export const load = ({ compiled }: LoadOptions): Promise<Command> => {
  NodeModule.enableCompileCache(compiled)
  return import("./cli.ts")
}
