/**
 * The programs of stdio servers as processes.
 *
 * A program is started as a helper is: the trust gate is asked first, before a template is evaluated or a program looked
 * up; the command is resolved in the runtime's own `PATH`; an entry of somebody else's files gets no credential-like
 * variable of the person's, and may not set what decides which code runs. It runs in the folder of its configuration.
 * The covered files are looked at before the spawn and not again: what the program loads later is its own affair.
 *
 * Guarantees that nothing of it outlives the scope: its standard input is closed, and what has not ended
 * {@link END_DELAY} later is ended by SIGTERM to its process group, and by SIGKILL 250 ms after that. A descendant that
 * made a session of its own is out of reach.
 */
import type { HeaderError, HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import * as Executable from "@letterhead/core/helper/Executable"
import * as HelperEnvironment from "@letterhead/core/helper/HelperEnvironment"
import * as HelperProcess from "@letterhead/core/helper/HelperProcess"
import * as WorkingDirectory from "@letterhead/core/helper/WorkingDirectory"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { type ChildProcessHandle, ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ProgramEnded } from "../McpError.ts"
import { StdioDiagnostics } from "./StdioDiagnostics.ts"
import { notStarted, type Program, StdioPrograms } from "./StdioPrograms.ts"

/** Milliseconds that a program has to end once its standard input is closed. */
export const END_DELAY = 2_000
/** Messages that wait for a program which reads slowly; whoever sends another waits with them. */
export const INPUT_LIMIT = 64

type Requirements = ChildProcessSpawner | FileSystem.FileSystem | Path.Path | TrustGate

/** Programs as processes. */
export const layer: Layer.Layer<StdioPrograms, never, Requirements> = Layer.effect(
  StdioPrograms,
  Effect.map(Effect.context<Requirements>(), (services) => {
    // Of the layer's own alone: whoever connects has a scope, a log and a clock of theirs, and maybe other processes.
    const own = Context.pick(ChildProcessSpawner, FileSystem.FileSystem, Path.Path, TrustGate, Environment)(services)
    return {
      start: Effect.fn("StdioPrograms.start")((entry: ServerEntry) =>
        startEntry(entry).pipe(
          Effect.provideContext(own),
          Effect.mapError((error) => notStarted(entry, error))
        )
      )
    }
  })
)

const startEntry = Effect.fnUntraced(function* (
  entry: ServerEntry
): Effect.fn.Return<Program, HeaderError | HeaderErrorReason, Requirements | Scope.Scope> {
  const { endpoint } = entry
  if (endpoint.type !== "stdio") return yield* Effect.die(new Error(`"${entry.name}" is no program`))
  const added = { environment: endpoint.env, passEnv: [], place: entry.place }
  const refusal = HelperEnvironment.refusal(added, entry)
  if (refusal !== undefined) return yield* refusal
  const permit = yield* (yield* TrustGate).require(entry)

  const { variables, withheld } = yield* HelperEnvironment.inherit(added, entry, permit.passEnv)
  const file = yield* Executable.resolve(endpoint.command, {
    environment: yield* Environment,
    directory: entry.origin.directory
  })
  const directory = yield* WorkingDirectory.of(entry, file)
  const child = yield* HelperProcess.start({ file, args: endpoint.args, directory, variables, stdin: "pipe" })
  return yield* attend(child, { server: entry.name, variables, withheld })
})

/** The program as it is used, with what reads and writes for it. */
const attend = Effect.fnUntraced(function* (
  child: ChildProcessHandle,
  { server, variables, withheld }: HelperEnvironment.HelperEnvironment & { readonly server: string }
): Effect.fn.Return<Program, never, Scope.Scope> {
  const input = yield* Queue.bounded<Uint8Array, Cause.Done>(INPUT_LIMIT)
  yield* Stream.fromQueue(input).pipe(
    Stream.run(child.stdin),
    Effect.ignore,
    Effect.ensuring(Queue.shutdown(input)),
    Effect.forkScoped
  )
  const diagnostics = new StdioDiagnostics(server, secretsOf(variables))
  const reading = yield* Effect.forkScoped(diagnostics.read(child.stderr))

  const exited = child.exitCode.pipe(
    Effect.map((code) => ({ ending: `exited with code ${code}`, code, signal: undefined })),
    Effect.catch((error) => {
      const signal = HelperProcess.signalOf(error)
      return Effect.succeed({ ending: `was killed by ${signal}`, code: undefined, signal })
    })
  )
  // The last one added is the first to run: before anything is signalled, and while its output is still read.
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Queue.end(input), exited).pipe(Effect.interruptible, Effect.timeoutOption(END_DELAY))
  )

  const encoder = new TextEncoder()
  return {
    pid: child.pid,
    write: (text) => Queue.offer(input, encoder.encode(text)),
    output: Stream.catch(child.stdout, () => Stream.empty),
    ended: Effect.gen(function* () {
      const ending = yield* exited
      // A descendant may hold standard error open.
      yield* Effect.timeoutOption(Fiber.await(reading), HelperProcess.DRAIN)
      return new ProgramEnded({ ...ending, server, standardError: diagnostics.last(), withheld })
    })
  }
})

/** What the program was given and must not be shown: what templates made, and credentials it inherited. */
const secretsOf = (variables: HelperEnvironment.HelperEnvironment["variables"]): ReadonlyArray<string> =>
  Object.entries(variables).flatMap(([name, value]) => {
    if (Redacted.isRedacted(value)) return [Redacted.value(value)]
    return HelperEnvironment.isCredential(name, value) ? [value] : []
  })
