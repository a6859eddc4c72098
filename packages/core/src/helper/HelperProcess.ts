/**
 * One run of a helper as a process: from the spawn to what it printed.
 *
 * Guarantees an answer by the timeout, whatever the process does, and bounded memory. Standard input is empty and there
 * is no terminal. Standard output is read up to the limit, then the run ends; of standard error the last few KiB are
 * kept. A descendant that keeps a pipe open delays the answer by {@link DRAIN} at most.
 *
 * The process group is killed when the scope closes, which is after the answer: SIGTERM, and SIGKILL
 * {@link KILL_DELAY} later. A descendant that made a session of its own is out of reach of both.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import { type ChildProcessHandle, ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { KilledBy, NotExecutable, NotFound, OutputTooLarge, TimedOut } from "../headers/HeaderError.ts"
import { OUTPUT_LIMIT } from "./HelperOutput.ts"
import { appendTail } from "./StandardError.ts"

/** Milliseconds from SIGTERM to SIGKILL. */
export const KILL_DELAY = 250

/** Milliseconds that output is still read after the helper ended, where something keeps its pipes open. */
export const DRAIN = 100

export interface ProcessOptions {
  /** Absolute path of the program. */
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** Absolute path of the working directory. */
  readonly directory: string
  /** All of the environment. */
  readonly variables: Readonly<Record<string, string | Redacted.Redacted>>
  /** Milliseconds from the spawn. */
  readonly timeout: number
}

/** What is started, and where. */
export type StartOptions = Omit<ProcessOptions, "timeout"> & {
  /** Standard input: none, or a pipe. */
  readonly stdin: "ignore" | "pipe"
}

/** Starts a program in a process group of its own, which is killed when the scope closes. */
export const start = Effect.fnUntraced(function* (
  options: StartOptions
): Effect.fn.Return<ChildProcessHandle, NotFound | NotExecutable, ChildProcessSpawner | Scope.Scope> {
  const spawner = yield* ChildProcessSpawner
  return yield* spawner
    .spawn(
      ChildProcess.make(options.file, options.args, {
        cwd: options.directory,
        env: options.variables,
        stdin: options.stdin,
        killSignal: "SIGTERM",
        forceKillAfter: KILL_DELAY
      })
    )
    .pipe(
      Effect.mapError((error) => notStarted(options, codeOf(error.reason.cause))),
      // Node throws where the system answers with something else than what it expects, such as ENOEXEC.
      Effect.catchDefect((defect) => Effect.fail(notStarted(options, codeOf(defect))))
    )
})

/** How a run ended, with what it wrote. */
export interface Ended {
  readonly ending:
    | { readonly _tag: "Exited"; readonly code: number }
    | { readonly _tag: "Failed"; readonly reason: TimedOut | KilledBy | OutputTooLarge }
  readonly standardOutput: Uint8Array
  /** The end of standard error. */
  readonly standardError: Uint8Array
  /** Whether a descendant still held a pipe when reading stopped. */
  readonly pipesHeld: boolean
}

/** Runs the program; fails only where it could not be started. */
export const run = Effect.fnUntraced(function* (
  options: ProcessOptions
): Effect.fn.Return<Ended, NotFound | NotExecutable, ChildProcessSpawner | Scope.Scope> {
  const child = yield* start({ ...options, stdin: "ignore" })

  const output = new Output()
  const reading = yield* Effect.forkScoped(
    Stream.runForEach(child.stdout, (chunk) => output.append(chunk)).pipe(
      Effect.catchTag("PlatformError", () => Effect.void)
    )
  )
  let standardError: Uint8Array = new Uint8Array(0)
  const draining = yield* Effect.forkScoped(
    Stream.runForEach(child.stderr, (chunk) =>
      Effect.sync(() => {
        standardError = appendTail(standardError, chunk)
      })
    ).pipe(Effect.ignore)
  )

  const exited = child.exitCode.pipe(
    Effect.map((code): Ended["ending"] => ({ _tag: "Exited", code })),
    Effect.catch((error) => Effect.succeed(failed(new KilledBy({ signal: signalOf(error) }))))
  )
  const flooded = Effect.andThen(Fiber.join(reading), Effect.never)
  const ending = yield* Effect.raceFirst(exited, flooded).pipe(
    Effect.timeoutOrElse({
      duration: options.timeout,
      orElse: () => Effect.succeed(failed(new TimedOut({ milliseconds: options.timeout })))
    }),
    Effect.catchTag("OutputTooLarge", (reason) => Effect.succeed(failed(reason)))
  )
  if (ending._tag === "Failed" && ending.reason._tag !== "KilledBy") {
    // What it wrote to standard error before may still be in the pipe: one more turn of the event loop.
    yield* Effect.sleep(1)
    return { ending, standardOutput: output.bytes(), standardError, pipesHeld: false }
  }

  const closed = yield* Effect.timeoutOption(Fiber.awaitAll([reading, draining]), DRAIN)
  // A timer that fired late may have overtaken what is already in the pipe: one more turn of the event loop.
  if (Option.isNone(closed)) yield* Effect.sleep(1)
  return {
    ending: output.tooLarge ? failed(new OutputTooLarge({ bytes: OUTPUT_LIMIT })) : ending,
    standardOutput: output.bytes(),
    standardError,
    pipesHeld: Option.isNone(closed)
  }
})

/** Chunks up to the limit. */
class Output {
  tooLarge = false
  private readonly chunks: Array<Uint8Array> = []
  private length = 0

  append(chunk: Uint8Array): Effect.Effect<void, OutputTooLarge> {
    return Effect.suspend(() => {
      this.length += chunk.length
      if (this.length <= OUTPUT_LIMIT) {
        this.chunks.push(chunk)
        return Effect.void
      }
      this.tooLarge = true
      this.chunks.length = 0
      return Effect.fail(new OutputTooLarge({ bytes: OUTPUT_LIMIT }))
    })
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.chunks.reduce((total, chunk) => total + chunk.length, 0))
    let offset = 0
    for (const chunk of this.chunks) {
      all.set(chunk, offset)
      offset += chunk.length
    }
    return all
  }
}

const failed = (reason: TimedOut | KilledBy | OutputTooLarge): Ended["ending"] => ({ _tag: "Failed", reason })

/** Why a program that was found could not be started; `code` is the system's own word for it. */
const notStarted = (options: StartOptions, code: string | undefined): NotFound | NotExecutable => {
  switch (code) {
    case "ENOENT":
      return new NotFound({
        command: options.file,
        description: "it, or the interpreter that its first line names, does not exist"
      })
    case "EACCES":
    case "EPERM":
      return new NotExecutable({ command: options.file, description: "the system denies it; check its permissions" })
    case "ENOEXEC":
      return new NotExecutable({
        command: options.file,
        description: "it is in no format that this system runs; a script starts with a line such as #!/bin/sh"
      })
    default:
      return new NotExecutable({
        command: options.file,
        description: code === undefined ? "the system could not start it" : `the system could not start it (${code})`
      })
  }
}

/** The error code of Node or the system; messages are not looked at, since they quote arguments and variables. */
const codeOf = (cause: unknown): string | undefined => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" && /^E[A-Z0-9_]{1,30}$/.test(code) ? code : undefined
}

/** The signal that ended a program; the spawner tells it in the message of its cause only. */
export const signalOf = (error: PlatformError.PlatformError): string => {
  const cause = error.reason.cause
  return (cause instanceof Error ? /'(SIG[A-Z0-9]+)'/.exec(cause.message)?.[1] : undefined) ?? "a signal"
}
