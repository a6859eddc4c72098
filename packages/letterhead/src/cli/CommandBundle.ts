/**
 * The command itself, from the chunks of the bundle, with what V8 compiled of them in an earlier run.
 *
 * A short command mostly compiles functions that it calls once. Node's compile cache keeps a module as it is before any
 * of its functions was called, which is next to nothing; so chunks are scripts, and their code is kept as it is when
 * the process ends well. It is kept anew when a run needed a chunk of which there was none. Names of chunks hold a
 * digest of their content, so that code is never used for another source.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
// Not by name: where Node is too old for one of them, the command says so itself.
import * as NodeVm from "node:vm"
import * as KeptCode from "./KeptCode.ts"
import type { LoadOptions, Command } from "./CommandSource.ts"

/** What the bundler calls the chunk that everything starts from; replaced by it. */
declare const LETTERHEAD_COMMAND: string

/** A verb; whatever else comes first shares what is kept. */
const VERB = /^[a-z]{1,16}$/

interface Chunk {
  exports: unknown
}

/** What a chunk is: a function that is called as Node calls a CommonJS module. */
type Evaluate = (
  exports: unknown,
  require: (name: string) => unknown,
  module: Chunk,
  filename: string,
  dirname: string
) => void

export const load = async ({ compiled, verb }: LoadOptions): Promise<Command> => {
  const file = join(compiled, `${process.version}-${process.arch}`, VERB.test(verb) ? verb : "any-verb")
  const kept = KeptCode.read(file)
  const scripts = new Map<string, NodeVm.Script>()
  const chunks = new Map<string, Chunk>()
  let complete = true

  const compile = (name: string, filename: string): NodeVm.Script => {
    const code = kept.get(name)
    const script = new NodeVm.Script(readFileSync(filename, "utf8"), {
      filename,
      importModuleDynamically: NodeVm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      ...(code === undefined ? {} : { cachedData: code })
    })
    if (code === undefined || script.cachedDataRejected === true) complete = false
    scripts.set(name, script)
    return script
  }

  /** Chunks lie in one folder; what else they ask for is a part of Node. */
  const require = (name: string): unknown => {
    if (!name.startsWith("./")) return process.getBuiltinModule(name)
    const known = chunks.get(name)
    if (known !== undefined) return known.exports
    const filename = join(import.meta.dirname, name)
    const evaluate: Evaluate = compile(name, filename).runInThisContext()
    const chunk: Chunk = { exports: {} }
    chunks.set(name, chunk)
    evaluate(chunk.exports, require, chunk, filename, import.meta.dirname)
    return chunk.exports
  }

  process.once("exit", (status) => {
    if (status !== 0 || complete) return
    KeptCode.write(file, new Map(Array.from(scripts, ([name, script]) => [name, script.createCachedData()])))
  })
  const command = require(LETTERHEAD_COMMAND)
  if (!isCommand(command)) throw new Error(`${LETTERHEAD_COMMAND} is broken; install letterhead again`)
  return command
}

const isCommand = (exports: unknown): exports is Command =>
  typeof exports === "object" && exports !== null && "run" in exports && typeof exports.run === "function"
