/** A terminal at which a person answers what the test says, and that keeps what it showed. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { type SignInNotice, type SignInPrompt, text } from "@letterhead/oauth/signin/SignInPrompt"

export interface ScriptedPrompt {
  readonly prompt: Required<Omit<SignInPrompt, "isSeen">>
  /** What was shown, in words. */
  readonly shown: ReadonlyArray<string>
  /** The next notice, once it is shown. */
  readonly next: Effect.Effect<SignInNotice>
}

/** `answer` is asked with the last notice; nothing is the end of input. */
export const make = (answer: (notice: SignInNotice) => string | undefined = () => undefined) =>
  Effect.map(Queue.unbounded<SignInNotice>(), (notices): ScriptedPrompt => {
    const shown: Array<string> = []
    let last: SignInNotice | undefined
    return {
      shown,
      next: Queue.take(notices),
      prompt: {
        show: (notice) => {
          last = notice
          shown.push(text(notice))
          return Effect.asVoid(Queue.offer(notices, notice))
        },
        ask: () =>
          Effect.sync(() => Option.map(Option.fromUndefinedOr(last && answer(last)), (line) => Redacted.make(line)))
      }
    }
  })
