/**
 * A helper that does what a test tells it to: a real program in a temporary folder, written for Node or for the shell.
 *
 * It notes each start, end and child of its own in a file, so that a test can say how often it ran, how many ran at
 * once, and whether anything of it is still alive. Everything is removed when the scope closes; what is still running
 * then is killed.
 */
import { readFileSync } from "node:fs"
import { execPath, kill } from "node:process"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import type * as Scope from "effect/Scope"

/** What the helper does, in the order of the members; nothing where a member is absent. */
export interface Behaviour {
  /** `node` (default) or `shell`. */
  readonly language?: "node" | "shell"
  /** Goes on after SIGTERM. */
  readonly ignoresTerm?: boolean
  /** Reads standard input to its end. */
  readonly readsInput?: boolean
  /** Asks the terminal, and hangs where there is none. Node only. */
  readonly asksTerminal?: boolean
  /** Milliseconds before it prints anything. */
  readonly delay?: number
  /** Bytes of noise to standard error. */
  readonly floodError?: number
  /** Text to standard error. */
  readonly stderr?: string
  /** Starts a process that holds standard output and error open for a minute, in its own process group or session. */
  readonly leaves?: "group" | "session"
  /** Prints this text. */
  readonly stdout?: string
  /** Prints `{"headers": {"Authorization": ["Bearer token-<n>"]}, "expires": …}` for the n-th run. Node only. */
  readonly tokens?: {
    /** Milliseconds from now to `expires`; negative for the past; absent: no `expires`. */
    readonly lifetime?: number
  }
  /** Bytes of noise to standard output; `Infinity` for no end. */
  readonly flood?: number
  /** Prints a byte of this text each `every` milliseconds. */
  readonly drip?: { readonly text: string; readonly every: number }
  /** Prints the environment and the working directory, as headers `X-Env` (JSON in base64) and `X-Cwd`. Node only. */
  readonly reports?: boolean
  /** Kills itself. */
  readonly signal?: "SIGSEGV" | "SIGKILL" | "SIGTERM" | "SIGABRT"
  /** Never ends. */
  readonly hangs?: boolean
  /** Exit code; default 0. */
  readonly exitCode?: number
}

export interface HelperFixture {
  /** As an argument array. */
  readonly command: ReadonlyArray<string>
  /** As a string for the shell. */
  readonly shellCommand: string
  /** The folder it lies in, absolute and with links resolved. */
  readonly directory: string
  /** The program itself. */
  readonly file: string
  /** Makes the program do something else from its next run on. */
  readonly become: (behaviour: Behaviour) => Effect.Effect<void, PlatformError.PlatformError>
  /** How often it was started. */
  readonly runs: Effect.Effect<number>
  /** How many ran at once at most, as far as they came to an end by themselves. */
  readonly peak: Effect.Effect<number>
  /** The helper's processes and those they left behind that are still alive. */
  readonly alive: Effect.Effect<ReadonlyArray<number>>
}

/** A helper in a folder of its own, or in `options.directory`; fixtures that share a `log` are counted together. */
export const make = Effect.fnUntraced(function* (
  behaviour: Behaviour = {},
  options: { readonly directory?: string; readonly log?: string; readonly name?: string } = {}
): Effect.fn.Return<HelperFixture, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.realPath(
    options.directory ?? (yield* fs.makeTempDirectoryScoped({ prefix: "letterhead-fixture-" }))
  )
  const name = options.name ?? "helper"
  const file = path.join(directory, behaviour.language === "shell" ? `${name}.sh` : `${name}.mjs`)
  const log = options.log ?? path.join(directory, `${name}.log`)
  const become = (next: Behaviour) =>
    Effect.andThen(
      fs.writeFileString(file, behaviour.language === "shell" ? shellProgram(next, log) : nodeProgram(next, log)),
      fs.chmod(file, 0o755)
    )
  yield* become(behaviour)

  const notes = Effect.map(
    Effect.orElseSucceed(fs.readFileString(log), () => ""),
    (text) =>
      text
        .split("\n")
        .filter((line) => line.length > 0)
        .map((line) => line.split(" "))
  )
  const alive = Effect.map(notes, (lines) =>
    lines
      .filter(([kind]) => kind !== "end")
      .map(([, pid]) => Number(pid))
      .filter(isAlive)
  )
  yield* Effect.addFinalizer(() => Effect.map(alive, (pids) => pids.forEach(killQuietly)))

  const command = behaviour.language === "shell" ? [file] : [execPath, file]
  return {
    command,
    shellCommand: command.map((word) => `'${word}'`).join(" "),
    directory,
    file,
    become,
    runs: Effect.map(notes, (lines) => lines.filter(([kind]) => kind === "start").length),
    peak: Effect.map(notes, (lines) => {
      let running = 0
      let most = 0
      for (const [kind] of lines) {
        if (kind === "start") most = Math.max(most, ++running)
        if (kind === "end") running--
      }
      return most
    }),
    alive
  }
})

/** Whether a process exists and is more than a zombie. */
export const isAlive = (pid: number): boolean => {
  try {
    kill(pid, 0)
  } catch {
    return false
  }
  try {
    // The state follows the program's name, which stands in brackets and may hold anything.
    return !/^[ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, ""))
  } catch {
    return true
  }
}

const killQuietly = (pid: number): void => {
  try {
    kill(pid, "SIGKILL")
  } catch {
    // It ended in between.
  }
}

const HOLD_SECONDS = 60

const nodeProgram = (behaviour: Behaviour, log: string): string => `#!${execPath}
import { spawn } from "node:child_process"
import { appendFileSync, openSync, readFileSync, writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

const behaviour = ${JSON.stringify({ ...behaviour, flood: behaviour.flood === Infinity ? -1 : behaviour.flood })}
const log = ${JSON.stringify(log)}
appendFileSync(log, "start " + process.pid + "\\n")
process.on("exit", () => appendFileSync(log, "end " + process.pid + "\\n"))
const print = (descriptor, text) => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at)
    } catch (error) {
      if (error.code !== "EAGAIN") throw error
    }
  }
}
const flood = (descriptor, bytes) => {
  const chunk = "x".repeat(65536)
  for (let left = bytes < 0 ? Infinity : bytes; left > 0; left -= chunk.length) print(descriptor, chunk.slice(0, left))
}

if (behaviour.ignoresTerm) process.on("SIGTERM", () => {})
if (behaviour.readsInput) for await (const _ of process.stdin) {}
if (behaviour.asksTerminal) {
  try {
    openSync("/dev/tty", "r+")
    print(1, '{"X-Terminal":"yes"}')
    process.exit(0)
  } catch {
    setInterval(() => {}, 1000)
    await new Promise(() => {})
  }
}
if (behaviour.delay) await sleep(behaviour.delay)
if (behaviour.floodError) flood(2, behaviour.floodError)
if (behaviour.stderr) print(2, behaviour.stderr)
if (behaviour.leaves) {
  const child = spawn("sleep", ["${HOLD_SECONDS}"], { detached: behaviour.leaves === "session", stdio: ["ignore", 1, 2] })
  child.unref()
  appendFileSync(log, "child " + child.pid + "\\n")
}
if (behaviour.stdout) print(1, behaviour.stdout)
if (behaviour.tokens) {
  const run = readFileSync(log, "utf8").split("\\n").filter((line) => line.startsWith("start")).length
  const { lifetime } = behaviour.tokens
  print(1, JSON.stringify({
    headers: { Authorization: ["Bearer token-" + run] },
    ...(lifetime === undefined ? {} : { expires: new Date(Date.now() + lifetime).toISOString() })
  }))
}
if (behaviour.reports) {
  print(1, JSON.stringify({ "X-Env": Buffer.from(JSON.stringify(process.env)).toString("base64"), "X-Cwd": process.cwd() }))
}
if (behaviour.flood) flood(1, behaviour.flood)
if (behaviour.drip) {
  for (const letter of behaviour.drip.text) {
    print(1, letter)
    await sleep(behaviour.drip.every)
  }
}
if (behaviour.signal) {
  process.kill(process.pid, behaviour.signal)
  await sleep(10_000)
}
if (behaviour.hangs) {
  setInterval(() => {}, 1000)
  await new Promise(() => {})
}
process.exit(behaviour.exitCode ?? 0)
`

const shellProgram = (behaviour: Behaviour, log: string): string => {
  const lines = [
    "#!/bin/sh",
    `log=${quoted(log)}`,
    `echo "start $$" >> "$log"`,
    behaviour.ignoresTerm === true ? "trap '' TERM" : "",
    behaviour.readsInput === true ? "cat > /dev/null" : "",
    behaviour.delay === undefined ? "" : `sleep ${behaviour.delay / 1000}`,
    behaviour.floodError === undefined ? "" : `head -c ${behaviour.floodError} /dev/zero >&2`,
    behaviour.stderr === undefined ? "" : `printf %s ${quoted(behaviour.stderr)} >&2`,
    behaviour.leaves === undefined
      ? ""
      : `${behaviour.leaves === "session" ? "setsid " : ""}sleep ${HOLD_SECONDS} &\necho "child $!" >> "$log"`,
    behaviour.stdout === undefined ? "" : `printf %s ${quoted(behaviour.stdout)}`,
    behaviour.flood === undefined
      ? ""
      : behaviour.flood === Infinity
        ? "cat /dev/zero"
        : `head -c ${behaviour.flood} /dev/zero`,
    ...(behaviour.drip === undefined
      ? []
      : Array.from(
          behaviour.drip.text,
          (letter) => `printf %s ${quoted(letter)}; sleep ${(behaviour.drip?.every ?? 0) / 1000}`
        )),
    behaviour.signal === undefined ? "" : `kill -${behaviour.signal.slice(3)} $$`,
    behaviour.hangs === true ? "while :; do sleep 1; done" : "",
    `echo "end $$" >> "$log"`,
    `exit ${behaviour.exitCode ?? 0}`
  ]
  return `${lines.filter((line) => line.length > 0).join("\n")}\n`
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
