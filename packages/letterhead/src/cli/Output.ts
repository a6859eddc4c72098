/**
 * The two streams of the command: results on standard output, everything else on standard error.
 *
 * With `--json` a result is one JSON document, and each error or warning is one JSON object on a line of its own. A
 * reader that goes away (`| head`) ends the output, silently. Colours and the progress line need a terminal.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeSync } from "node:fs"
import type { WriteStream } from "node:tty"
import { ExitCode } from "./ExitCode.ts"
import { coloured, plain, type Style } from "./Style.ts"

export class Output extends Context.Service<
  Output,
  {
    readonly json: boolean
    /** For what is written with `print`. */
    readonly style: Style
    /** Columns of the terminal on standard output; `undefined` where it is none. */
    readonly width: number | undefined
    /** Whether a person can be asked: they see the question, and answer at a terminal. */
    readonly canAsk: boolean
    /** Lines of the result, for people. */
    readonly print: (text: string) => Effect.Effect<void>
    /** The result as one JSON document. */
    readonly document: (value: unknown) => Effect.Effect<void>
    /** Something beside the result that the person should know. */
    readonly warn: (text: string) => Effect.Effect<void>
    /** What is neither result nor warning: a question, a log line. */
    readonly aside: (text: string) => Effect.Effect<void>
    /** An error, once, at the end. */
    readonly fail: (error: {
      readonly code: string
      readonly message: string
      readonly hint?: string
      readonly exitCode: number
    }) => Effect.Effect<void>
    /** Shows or replaces the progress line; nothing where standard error is no terminal. */
    readonly progress: (text: string) => Effect.Effect<void>
    /** Takes the progress line away. */
    readonly clearProgress: Effect.Effect<void>
  }
>()("letterhead/cli/Output") {}

export interface OutputOptions {
  readonly json: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Back to the first column, and erase the line. */
const CLEAR_LINE = "\r\u001b[2K"

export const make = (options: OutputOptions): Output["Service"] => {
  const { stderr, stdout } = process
  stdout.on("error", onStreamError)
  stderr.on("error", onStreamError)
  const out = styleOf(stdout, options.environment)
  const err = styleOf(stderr, options.environment)
  const canDraw = stderr.isTTY && options.environment["TERM"] !== "dumb"
  let drawn = false

  const clear = () => {
    if (!drawn) return
    drawn = false
    stderr.write(CLEAR_LINE)
  }
  const toStdout = (text: string) =>
    Effect.sync(() => {
      clear()
      stdout.write(`${text}\n`)
    })
  const toStderr = (text: string) =>
    Effect.sync(() => {
      clear()
      stderr.write(`${text}\n`)
    })

  return {
    json: options.json,
    style: out,
    width: stdout.isTTY ? stdout.columns : undefined,
    // In this order: to look at standard input is to open it.
    canAsk: stderr.isTTY && process.stdin.isTTY,
    print: toStdout,
    document: (value) => toStdout(JSON.stringify(value, null, 2)),
    warn: (text) =>
      toStderr(options.json ? JSON.stringify({ warning: { message: text } }) : `${err.yellow("warning:")} ${text}`),
    aside: toStderr,
    fail: (error) =>
      toStderr(
        options.json
          ? JSON.stringify({ error })
          : [`${err.red("error:")} ${error.message}`, ...(error.hint === undefined ? [] : [error.hint])].join("\n")
      ),
    progress: (text) =>
      Effect.sync(() => {
        if (!canDraw) return
        drawn = true
        stderr.write(`${CLEAR_LINE}${err.dim(text.slice(0, Math.max(0, stderr.columns - 1)))}`)
      }),
    clearProgress: Effect.sync(clear)
  }
}

export const layer = (options: OutputOptions): Layer.Layer<Output> => Layer.sync(Output, () => make(options))

const styleOf = (stream: WriteStream, environment: OutputOptions["environment"]): Style =>
  stream.isTTY && !environment["NO_COLOR"] && environment["TERM"] !== "dumb" ? coloured : plain

/**
 * A reader that went away is no error of this program's: what is left to write goes nowhere. A full disk is one: the
 * result is not there.
 */
const onStreamError = (error: Error & { readonly code?: string }) => {
  if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") return
  try {
    writeSync(process.stderr.fd, `error: the result cannot be written: ${error.code ?? error.name}\n`)
  } catch {
    // There is nowhere left to say it.
  }
  process.exit(ExitCode.usage)
}
