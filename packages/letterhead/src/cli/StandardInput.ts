/** What is piped into the command, whole. */
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { CliFailure } from "./CliFailure.ts"

/** Bytes that are read. */
export const INPUT_LIMIT = 256 * 1024

export const readAll = Effect.gen(function* () {
  const { stdin } = yield* Stdio.Stdio
  const decoder = new TextDecoder()
  let length = 0
  let text = ""
  yield* Stream.runForEach(stdin, (chunk) => {
    length += chunk.length
    text += decoder.decode(chunk, { stream: true })
    return length <= INPUT_LIMIT
      ? Effect.void
      : Effect.fail(
          new CliFailure({ code: "UsageInvalid", message: `standard input has more than ${INPUT_LIMIT} bytes` })
        )
  })
  return text + decoder.decode()
})
