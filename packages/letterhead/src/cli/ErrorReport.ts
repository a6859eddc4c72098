/**
 * How a run ends: every error becomes one message on standard error and one exit code.
 *
 * What a person got wrong gets no stack trace. A defect of the program is named with the frames it came from, and
 * without its text: the text of a foreign exception can be a secret.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { CliError, ShowHelp } from "effect/cli/CliError"
import { ExitCode, type VerbError, verdictOf } from "./ExitCode.ts"
import { Output } from "./Output.ts"
import { printable } from "./Printable.ts"

/** Reports why a run failed; gives its exit code. An interruption stays one. */
export const report = Effect.fnUntraced(function* (cause: Cause.Cause<VerbError>) {
  const output = yield* Output
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason)) {
      const error = reason.error
      if (error._tag === "ShowHelp") return yield* reportUsage(error)
      const verdict = verdictOf(error)
      yield* output.fail({ ...verdict, message: output.json ? verdict.message : printable(verdict.message) })
      return verdict.exitCode
    }
    if (Cause.isDieReason(reason)) {
      const name = reason.defect instanceof Error ? reason.defect.name : typeof reason.defect
      yield* output.fail({
        code: "Defect",
        message: `letterhead failed in a way it should not (${name}); please report this`,
        hint: framesOf(reason.defect).join("\n"),
        exitCode: ExitCode.defect
      })
      return ExitCode.defect
    }
  }
  return yield* Effect.interrupt
})

/** Help that was shown because no verb was named needs no error, and a group without its verb is not done. */
const reportUsage = Effect.fnUntraced(function* (error: ShowHelp) {
  const output = yield* Output
  const command = error.commandPath.join(" ")
  if (error.errors.length === 0) {
    if (error.commandPath.length === 1) return ExitCode.done
    yield* output.fail({
      code: "UsageInvalid",
      message: `"${command}" needs a command; see ${command} --help`,
      exitCode: ExitCode.usage
    })
    return ExitCode.usage
  }
  yield* output.fail({
    code: "UsageInvalid",
    message: printable(error.errors.map(sentence).join("\n")),
    hint: `See ${command} --help`,
    exitCode: ExitCode.usage
  })
  return ExitCode.usage
})

const sentence = (error: CliError): string => error.message.replace(/\n\n +Did you mean this\?\n +/, "; did you mean: ")

/** The places of a stack, without the message above them. */
const framesOf = (defect: unknown): ReadonlyArray<string> =>
  defect instanceof Error ? (defect.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : []
