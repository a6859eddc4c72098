/**
 * Everything that an effect lets out, kept so that a test can look for a secret in it: logs of every level in each
 * format, spans with their attributes, events and failures, metrics, errors as a program might print them, what was printed,
 * the argument lists of the processes it started, and files. Linux only: processes are looked at in /proc.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"

export type Channel = "log" | "span" | "error" | "result" | "arguments" | "file" | "metric" | "output"

export interface Evidence {
  /** Runs an effect, keeps what it lets out, and gives its exit. */
  readonly observe: <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  /** Keeps every file of a folder. */
  readonly keepFiles: (folder: string) => Effect.Effect<void>
  /** Keeps what a process printed. */
  readonly keepOutput: (what: string, text: string) => void
  /** How many things were kept of each kind. */
  readonly counts: () => Readonly<Record<Channel, number>>
  /** Where one of the texts is, with what stands around it; empty where there is none. */
  readonly find: (texts: ReadonlyArray<string>) => ReadonlyArray<string>
}

/** Milliseconds between two looks at the processes. */
const SAMPLING = 4
/** Characters of a find that are shown on either side. */
const AROUND = 100

/** What becomes of a promise; it fails with whatever it is that the promise rejects with. */
export const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.callback((resume) => {
    run().then(
      (value) => resume(Effect.succeed(value)),
      (error: unknown) => resume(Effect.fail(error))
    )
  })

/** Evidence that is gathered as long as the scope. */
export const make: Effect.Effect<Evidence, never, Scope.Scope> = Effect.gen(function* () {
  const kept = new Map<string, { readonly channel: Channel; readonly what: string; readonly text: string }>()
  const spans: Array<{ readonly what: string; readonly span: Tracer.NativeSpan }> = []
  const keep = (channel: Channel, what: string, text: string): void => {
    kept.set(`${channel} ${text}`, { channel, what, text })
  }

  yield* Effect.acquireRelease(
    Effect.sync(() =>
      setInterval(() => {
        for (const line of commandLines(process.pid)) keep("arguments", "a process", line)
      }, SAMPLING)
    ),
    (timer) => Effect.sync(() => clearInterval(timer))
  )

  const observe: Evidence["observe"] = (what, effect) => {
    const logger = Logger.make<unknown, void>((options) => {
      for (const format of [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]) {
        keep("log", what, format.log(options))
      }
      keep("log", what, inspect(options.message, DEEP))
      keep("log", what, causeText(options.cause))
    })
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push({ what, span })
        return span
      }
    })
    return Effect.exit(effect).pipe(
      Effect.tap((exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) keep("error", what, causeText(exit.cause))
          else keep("result", what, `${inspect(exit.value, DEEP)} ${json(exit.value)} ${String(exit.value)}`)
        })
      ),
      Effect.tap(
        Effect.map(Metric.snapshot, (metrics) => {
          for (const { attributes, description, id, state } of metrics) {
            keep("metric", what, `${id} ${description ?? ""} ${inspect(attributes, DEEP)} ${inspect(state, DEEP)}`)
          }
        })
      ),
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provideService(Tracer.MinimumTraceLevel, "All"),
      Effect.withTracer(tracer)
    )
  }

  const keepSpans = (): void => {
    for (const { what, span } of spans.splice(0)) {
      const said = [span.name, inspect(span.attributes, DEEP), inspect(span.events, DEEP), inspect(span.links, DEEP)]
      const { status } = span
      if (status._tag === "Ended" && Exit.isFailure(status.exit)) said.push(causeText(status.exit.cause))
      keep("span", what, said.join("\n"))
    }
  }

  return {
    observe,
    keepFiles: (folder) =>
      Effect.sync(() => {
        for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
          const file = join(name.parentPath, name.name)
          if (name.isFile()) keep("file", file, `${file}\n${readFileSync(file, "latin1")}`)
        }
      }),
    keepOutput: (what, text) => keep("output", what, text),
    counts: () => {
      keepSpans()
      const counts = { log: 0, span: 0, error: 0, result: 0, arguments: 0, file: 0, metric: 0, output: 0 }
      for (const { channel } of kept.values()) counts[channel]++
      return counts
    },
    find: (texts) => {
      keepSpans()
      return [...kept.values()].flatMap(({ channel, text, what }) =>
        texts
          .flatMap((secret) => forms(secret))
          .flatMap((form) => {
            const at = text.indexOf(form)
            return at === -1 ? [] : [`${channel} of ${what}: ${text.slice(Math.max(0, at - AROUND), at + AROUND)}`]
          })
      )
    }
  }
})

const DEEP = { depth: null, showHidden: true, maxArrayLength: null, maxStringLength: null } as const

/** Characters of a secret that give it away, at either end. */
const PART = 12

/**
 * A secret as it is, what would be left of it where a text is cut, as JSON and as a URL would escape it, in hexadecimal
 * digits, and as base64 would show its middle at each of the three offsets.
 */
const forms = (secret: string): ReadonlyArray<string> => [
  ...new Set([
    secret,
    secret.slice(0, PART),
    secret.slice(-PART),
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams([["", secret]]).toString().slice(1),
    Buffer.from(secret).toString("hex"),
    ...[0, 1, 2].map((offset) => Buffer.from(secret.slice(offset)).toString("base64").slice(0, PART))
  ])
]

/** A cause in every way in which a program may print it. */
const causeText = (cause: Cause.Cause<unknown>): string =>
  [
    Cause.pretty(cause),
    String(cause),
    json(cause),
    inspect(cause, DEEP),
    ...Cause.prettyErrors(cause).flatMap((error) => [error.message, error.stack ?? "", inspect(error, DEEP)]),
    ...cause.reasons.flatMap((reason) => {
      const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
      const own = error instanceof Error ? [error.message, error.stack ?? ""] : []
      return [String(error), json(error), inspect(error, DEEP), ...own]
    })
  ].join("\n")

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return ""
  }
}

/** The argument lists of what a process started, and of what that started. */
const commandLines = (pid: number): ReadonlyArray<string> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter((child) => child !== "")
      .flatMap((child) => [commandLine(Number(child)), ...commandLines(Number(child))])
      .filter((line) => line !== "")
  } catch {
    return []
  }
}

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
  } catch {
    return ""
  }
}
