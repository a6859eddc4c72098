/**
 * Lines that a person types at the terminal, without showing them where they are secret.
 *
 * Questions go to standard error, so that the result on standard output stays clean; with `--json`, each is an object on a
 * line of its own. What is typed ahead is kept for
 * the next question.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Terminal from "effect/Terminal"
import { Output } from "./Output.ts"

export interface Question {
  readonly text: string
  /** Nothing of the answer is shown, not even how long it is. */
  readonly hidden: boolean
}

/** Asks one question after the other until the scope closes; leaving (Esc, Ctrl-C, Ctrl-D) interrupts. */
export const questions: Effect.Effect<
  (question: Question) => Effect.Effect<string>,
  never,
  Output | Terminal.Terminal | Scope.Scope
> = Effect.gen(function* () {
  const output = yield* Output
  const terminal = yield* Terminal.Terminal
  const keys = yield* terminal.readInput
  return (question) =>
    Effect.gen(function* () {
      const text = `${question.text}${question.hidden ? " (not shown)" : ""}:`
      yield* output.aside(output.json ? JSON.stringify({ question: { message: text } }) : text)
      let line = ""
      for (;;) {
        const { input, key } = yield* Effect.catch(Queue.take(keys), () => Effect.interrupt)
        if ((key.ctrl && (key.name === "c" || key.name === "d")) || key.name === "escape")
          return yield* Effect.interrupt
        if (key.name === "return" || key.name === "enter") break
        if (key.name === "backspace") {
          if (line.length > 0) yield* echo("\b \b", question)
          line = line.replace(LAST_CHARACTER, "")
          continue
        }
        if (key.ctrl || key.meta || Option.isNone(input) || !TYPED.test(input.value)) continue
        line += input.value
        yield* echo(input.value, question)
      }
      yield* echo("\n", question)
      return line
    })
})

const echo = (text: string, { hidden }: Question) =>
  Effect.sync(() => {
    if (!hidden) process.stderr.write(text)
  })

const LAST_CHARACTER = /.$/su
/** What a key types; arrows and the like type nothing. */
const TYPED = /^[^\p{Cc}]+$|^\t$/u
