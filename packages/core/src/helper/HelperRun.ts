/**
 * One run of an entry's helper: from the trust gate to the headers it printed.
 *
 * The gate is asked first, before a template is evaluated or a program looked up, and the covered files are verified
 * after the process ended and before its output is read. What the process leaves behind is cleared away when the scope
 * closes.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ExitedWith, HeaderError, type HeaderErrorReason, OutputEmpty } from "../headers/HeaderError.ts"
import { Environment } from "../server/Environment.ts"
import { type Helper, HELPER_TIMEOUT_MAXIMUM, HELPER_TIMEOUT_MINIMUM, type ServerEntry } from "../server/ServerEntry.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import * as Executable from "./Executable.ts"
import * as HelperEnvironment from "./HelperEnvironment.ts"
import * as HelperOutput from "./HelperOutput.ts"
import * as HelperProcess from "./HelperProcess.ts"
import * as StandardError from "./StandardError.ts"
import * as WorkingDirectory from "./WorkingDirectory.ts"

/** What a run takes from its surroundings. */
export type Services = ChildProcessSpawner | FileSystem.FileSystem | Path.Path | TrustGate

/** Runs the helper once. */
export const once = (
  helper: Helper,
  entry: ServerEntry
): Effect.Effect<HelperOutput.HelperOutput, HeaderError, Services | Scope.Scope> =>
  Effect.mapError(
    attempt(helper, entry),
    (error) =>
      new HeaderError({
        server: entry.name,
        source: SOURCE,
        reason: error._tag === "HeaderError" ? error.reason : error
      })
  )

const SOURCE = "helper"

const attempt = Effect.fnUntraced(function* (
  helper: Helper,
  entry: ServerEntry
): Effect.fn.Return<HelperOutput.HelperOutput, HeaderError | HeaderErrorReason, Services | Scope.Scope> {
  const refusal = HelperEnvironment.refusal(helper, entry)
  if (refusal !== undefined) return yield* refusal
  const permit = yield* (yield* TrustGate).require(entry)

  const { variables, withheld } = yield* HelperEnvironment.make(helper, entry, permit.passEnv)
  const command = yield* resolveCommand(helper, entry)
  const ended = yield* HelperProcess.run({
    ...command,
    directory: yield* WorkingDirectory.of(entry, command.file),
    variables,
    timeout: Math.min(Math.max(helper.timeout, HELPER_TIMEOUT_MINIMUM), HELPER_TIMEOUT_MAXIMUM)
  })
  yield* logged(ended, variables, entry)

  const { ending } = ended
  if (ending._tag === "Failed") return yield* ending.reason
  if (ending.code !== 0) return yield* new ExitedWith({ code: ending.code, withheld })
  yield* permit.verify
  const output = HelperOutput.parse(ended.standardOutput, yield* Clock.currentTimeMillis)
  return yield* Effect.mapError(Effect.fromResult(output), (reason) =>
    reason._tag === "OutputEmpty" ? new OutputEmpty({ withheld }) : reason
  )
})

/** The program and its arguments; the program is looked up in the runtime's own environment, never the entry's. */
const resolveCommand = Effect.fnUntraced(function* (helper: Helper, entry: ServerEntry) {
  const options = { environment: yield* Environment, directory: entry.origin.directory }
  if (typeof helper.command === "string") {
    return { file: yield* Executable.resolve("sh", options), args: ["-c", helper.command] }
  }
  const [program = "", ...args] = helper.command
  return { file: yield* Executable.resolve(program, options), args }
})

/** What the process left to say, at debug level and without anything that may be a secret. */
const logged = Effect.fnUntraced(function* (
  ended: HelperProcess.Ended,
  variables: HelperEnvironment.HelperEnvironment["variables"],
  entry: ServerEntry
) {
  const debug = (message: string) => Effect.logDebug(`server "${entry.name}": ${message}`)
  if (ended.pipesHeld) {
    yield* debug("a process that the helper started keeps its output open; reading stopped without it")
  }
  if (ended.standardError.length === 0) return
  const known = [new TextDecoder().decode(ended.standardOutput)]
  for (const value of Object.values(variables)) if (Redacted.isRedacted(value)) known.push(Redacted.value(value))
  const lines = StandardError.shown(ended.standardError, known)
  yield* debug(`the helper's standard error (last ${ended.standardError.length} bytes, masked):\n${lines.join("\n")}`)
})
