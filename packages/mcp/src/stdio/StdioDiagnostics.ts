/**
 * What a program of a stdio server says on standard error: to the debug log line by line, and its end for an error.
 *
 * A program that fails says why there, and may as well print a token. So each line is masked as that of a helper is:
 * a word is shown only where it looks like a word, and is no part of what the program was given as a credential.
 * Memory and log are bounded; when nobody listens at debug level, nothing but the end is kept.
 */
import * as StandardError from "@letterhead/core/helper/StandardError"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import { StdioLines } from "./StdioLines.ts"

/** Bytes of one line that are logged. */
export const LINE_LIMIT = 4 * 1024
/** Lines of one program that are logged. */
export const LINE_COUNT_LIMIT = 1_000
/** Lines that an error shows. */
export const SHOWN_LINES = 8

export class StdioDiagnostics {
  readonly #server: string
  readonly #secrets: ReadonlyArray<string>
  readonly #lines = new StdioLines(LINE_LIMIT)
  #tail: Uint8Array = new Uint8Array(0)
  #logged = 0

  /** `secrets`: text of which no word is shown. */
  constructor(server: string, secrets: ReadonlyArray<string>) {
    this.#server = server
    this.#secrets = secrets
  }

  /** Reads standard error to its end. */
  read<E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<void> {
    return Effect.flatMap(LogLevel.isEnabled("Debug"), (logs) =>
      stream.pipe(
        Stream.runForEach((chunk) => {
          this.#tail = StandardError.appendTail(this.#tail, chunk)
          return logs ? this.#log(this.#lines.push(chunk)) : Effect.void
        }),
        Effect.ignore,
        Effect.andThen(logs ? Effect.suspend(() => this.#log(this.#lines.end())) : Effect.void)
      )
    )
  }

  /** The last lines, masked; those of which hardly a word is left, such as the frames of a stack, are left out. */
  last(): ReadonlyArray<string> {
    return StandardError.shown(this.#tail, this.#secrets)
      .filter((line) => line.split(" ").filter((word) => !word.includes(StandardError.MASK)).length > 1)
      .slice(-SHOWN_LINES)
  }

  #log(lines: ReturnType<StdioLines["push"]>): Effect.Effect<void> {
    const shown = lines.slice(0, Math.max(0, LINE_COUNT_LIMIT - this.#logged))
    const over = this.#logged <= LINE_COUNT_LIMIT && shown.length < lines.length
    this.#logged += lines.length
    if (shown.length === 0 && !over) return Effect.void
    const encoder = new TextEncoder()
    const messages = shown.flatMap(({ text }) => StandardError.shown(encoder.encode(text), this.#secrets))
    if (over) messages.push(`(more than ${LINE_COUNT_LIMIT} lines; the others are not shown)`)
    return Effect.forEach(messages, (message) => Effect.logDebug(`server "${this.#server}" says: ${message}`), {
      discard: true
    })
  }
}
