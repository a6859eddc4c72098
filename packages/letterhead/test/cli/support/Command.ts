/**
 * The real command, run from source as a process of its own, by a person who has nothing: an empty home, an
 * environment of four variables, a project in a temporary folder.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The file that the command is. */
export const MAIN = resolve(import.meta.dirname, "../../../src/cli/main.ts")

/** Compiled code is shared by all runs, to save time; it is no part of what is tested. */
const CACHE = resolve(import.meta.dirname, "../../../../../node_modules/.cache/letterhead-test")

/** Milliseconds after which a run is taken for hanging. */
const RUN_LIMIT = 30_000

export interface Ended {
  /** The exit code; `undefined` where a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Default: the project. */
  readonly cwd?: string
  /** What the person types; standard input is no terminal. */
  readonly input?: string
  /** Is given what the command writes to standard error, when it does. */
  readonly onStderr?: (text: string) => void
  /** Runs as soon as the process has started. */
  readonly started?: (pid: number) => void
}

export interface Person {
  readonly home: string
  readonly project: string
  /** The environment of every run. */
  readonly env: Readonly<Record<string, string>>
  readonly run: (args: ReadonlyArray<string>, options?: RunOptions) => Effect.Effect<Ended>
  /** Runs with `--json`; fails the test where standard output is no JSON document. */
  readonly json: (
    args: ReadonlyArray<string>,
    options?: RunOptions
  ) => Effect.Effect<Ended & { readonly value: unknown }>
  /** Writes a file of the project; text as it is, anything else as JSON. */
  readonly write: (name: string, content: unknown) => Effect.Effect<string>
  /** Writes a program of the project. */
  readonly program: (name: string, text: string) => Effect.Effect<string>
  /** Writes a file of the person's own configuration. */
  readonly writeOwn: (name: string, content: unknown) => Effect.Effect<string>
  readonly read: (name: string) => Effect.Effect<string>
  /** Approves a server as the person would who has looked at it. */
  readonly approve: (server: string, ...more: ReadonlyArray<string>) => Effect.Effect<void>
}

/** A person with an empty home and an empty project; gone when the scope closes. */
export const person: Effect.Effect<Person, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-cli-")))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  const home = join(folder, "home")
  const project = join(folder, "project")
  // The mark of a repository ends the walk of discovery here.
  yield* Effect.promise(() =>
    Promise.all([mkdir(home), mkdir(join(project, ".git"), { recursive: true })]).then(() => undefined)
  )
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, XDG_CACHE_HOME: CACHE, TERM: "xterm" }

  const run: Person["run"] = (args, options = {}) =>
    Effect.callback<Ended>((resume) => {
      const child = spawn(process.execPath, [MAIN, ...args], {
        cwd: options.cwd ?? project,
        env: { ...env, ...options.env },
        stdio: ["pipe", "pipe", "pipe"],
        timeout: RUN_LIMIT,
        killSignal: "SIGKILL"
      })
      const out: Array<Buffer> = []
      const err: Array<Buffer> = []
      child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
      child.stderr.on("data", (chunk: Buffer) => {
        err.push(chunk)
        options.onStderr?.(chunk.toString())
      })
      child.stdin.on("error", () => undefined)
      child.stdin.end(options.input ?? "")
      if (child.pid !== undefined) options.started?.(child.pid)
      child.once("close", (code) => {
        const ended = { stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
        resume(Effect.succeed({ ...ended, code: code ?? undefined }))
      })
      return Effect.sync(() => child.kill("SIGKILL"))
    })

  const json: Person["json"] = (args, options) =>
    Effect.map(run([...args, "--json"], options), (ended) => ({
      ...ended,
      value: ended.stdout === "" ? undefined : JSON.parse(ended.stdout)
    }))

  return {
    home,
    project,
    env,
    run,
    json,
    write: (name, content) => put(join(project, name), content),
    program: (name, text) =>
      Effect.tap(put(join(project, name), text), (file) => Effect.promise(() => chmod(file, 0o755))),
    writeOwn: (name, content) => put(join(home, ".config/letterhead", name), content),
    read: (name) => Effect.promise(() => readFile(join(project, name), "utf8")),
    approve: Effect.fnUntraced(function* (server, ...more) {
      const asked = yield* json(["trust", "approve", server])
      const digest = digestOf(asked.value)
      const approved = yield* run(["trust", "approve", server, "--digest", digest, ...more])
      yield* approved.code === 0 ? Effect.void : Effect.die(new Error(approved.stderr))
    })
  }
})

/** Writes a file and the folders above it; text as it is, anything else as JSON. */
const put = (file: string, content: unknown) =>
  Effect.promise(async () => {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content, null, 2))
    return file
  })

const digestOf = (value: unknown): string =>
  typeof value === "object" && value !== null && "digest" in value ? String(value.digest) : ""

/** The JSON objects on standard error, one per line. */
export const errorsOf = (ended: Ended): ReadonlyArray<unknown> =>
  ended.stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line))
