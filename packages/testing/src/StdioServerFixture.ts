/**
 * A stdio MCP server that does what a test tells it to: a real program in a temporary folder, on the official SDK.
 *
 * It notes each start and end, and a child of its own, in a file. Everything is removed when the scope closes; what is
 * still running then is killed. What it offers: see `StdioServerProgram`.
 */
import { execPath, kill } from "node:process"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { isAlive } from "./HelperFixture.ts"
import type { StdioBehaviour } from "./StdioServerProgram.ts"

export type { StdioBehaviour } from "./StdioServerProgram.ts"

export interface StdioServerFixture {
  /** The program and its arguments. */
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The folder it lies in, absolute and with links resolved. */
  readonly directory: string
  /** The script itself. */
  readonly file: string
  /** Makes the program do something else from its next start on. */
  readonly become: (behaviour: StdioBehaviour) => Effect.Effect<void, PlatformError.PlatformError>
  /** How often it was started. */
  readonly starts: Effect.Effect<number>
  /** Its processes and those they left behind that are still alive. */
  readonly alive: Effect.Effect<ReadonlyArray<number>>
}

/** A server in a folder of its own, or in `options.directory`. */
export const make = Effect.fnUntraced(function* (
  behaviour: StdioBehaviour = {},
  options: { readonly directory?: string } = {}
): Effect.fn.Return<StdioServerFixture, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.realPath(
    options.directory ?? (yield* fs.makeTempDirectoryScoped({ prefix: "letterhead-fixture-" }))
  )
  const file = path.join(directory, "server.mjs")
  const log = path.join(directory, "server.log")
  const become = (next: StdioBehaviour) => fs.writeFileString(file, script(next, log))
  yield* become(behaviour)

  const notes = Effect.map(
    Effect.orElseSucceed(fs.readFileString(log), () => ""),
    (text) => Array.from(text.matchAll(/^(\w+) (\d+)$/gm), ([, kind, pid]) => ({ kind, pid: Number(pid) }))
  )
  const alive = Effect.map(notes, (lines) =>
    lines.filter(({ kind, pid }) => kind !== "end" && isAlive(pid)).map(({ pid }) => pid)
  )
  yield* Effect.addFinalizer(() =>
    Effect.map(alive, (pids) => {
      for (const pid of pids) {
        try {
          kill(pid, "SIGKILL")
        } catch {
          // It ended in between.
        }
      }
    })
  )
  return {
    command: execPath,
    args: [file],
    directory,
    file,
    become,
    starts: Effect.map(notes, (lines) => lines.filter(({ kind }) => kind === "start").length),
    alive
  }
})

/** The program stands beside this module, as source and as it was built. */
const PROGRAM = new URL(`./StdioServerProgram.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url).href

const script = (behaviour: StdioBehaviour, log: string): string =>
  `import { run } from ${JSON.stringify(PROGRAM)}\nrun(${JSON.stringify(behaviour)}, ${JSON.stringify(log)})\n`
