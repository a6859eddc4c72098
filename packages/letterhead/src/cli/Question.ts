/** A yes or a no from the person at the terminal. No answer is a no. */
import * as Effect from "effect/Effect"
import * as Terminal from "effect/Terminal"
import { Output } from "./Output.ts"

/** Asks on standard error, so that the result on standard output stays clean. */
export const confirm = Effect.fnUntraced(function* (question: string) {
  const output = yield* Output
  const terminal = yield* Terminal.Terminal
  yield* output.aside(`${question} [y/N]`)
  const answer = yield* Effect.orElseSucceed(terminal.readLine, () => "")
  return /^y(es)?$/i.test(answer.trim())
})
