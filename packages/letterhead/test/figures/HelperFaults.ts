/** What a helper can do wrong, rows F1 to F22 of FAULTS.md, as real programs. Each prints a secret wherever it prints. */
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import type { Behaviour } from "@letterhead/testing/HelperFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"

export interface HelperFault {
  /** The number of its row. */
  readonly row: string
  readonly what: string
  readonly behaviour: Behaviour
  /** Milliseconds: T. */
  readonly timeout: number
  /** What the caller gets: the headers, or an error of one of these reasons. */
  readonly outcome: ReadonlyArray<HeaderErrorReason["_tag"]> | "headers"
  /** What is run in place of the helper itself, by its file. */
  readonly command?: (file: string) => ReadonlyArray<string>
  /** Mode of the helper's file; default 0755. */
  readonly mode?: number
  /** Runs in a folder that is not there. */
  readonly nowhere?: true
}

/** T of those that only their timeout ends. */
const SHORT = 500
/** T of those that end by themselves, which a loaded machine may delay. */
const LONG = 5_000

/** The faults, each with `secret` in what it prints to standard output and error. */
export const helperFaults = (secret: string): ReadonlyArray<HelperFault> => {
  const good = JSON.stringify({ Authorization: `Bearer ${secret}` })
  const noise = `loading the token ${secret} and ${secret}\n`
  const fault = (
    row: string,
    what: string,
    outcome: HelperFault["outcome"],
    behaviour: Behaviour,
    more: Partial<HelperFault> = {}
  ): HelperFault => ({
    row,
    what,
    outcome,
    behaviour: { language: "shell", stderr: noise, ...behaviour },
    timeout: outcome !== "headers" && outcome.includes("TimedOut") ? SHORT : LONG,
    ...more
  })
  const prints = (row: string, what: string, outcome: HelperFault["outcome"], stdout: string) =>
    fault(row, what, outcome, { stdout })

  return [
    fault("F1", "never exits", ["TimedOut"], { hangs: true }),
    fault("F2", "ignores SIGTERM", ["TimedOut"], { stdout: good, ignoresTerm: true, hangs: true }),
    fault("F3", "leaves a grandchild in its group", "headers", { leaves: "group", stdout: good }),
    fault("F4", "leaves a grandchild in a session", "headers", { leaves: "session", stdout: good }),
    fault("F5", "floods standard output", ["OutputTooLarge"], { stdout: secret, flood: Infinity }),
    fault("F6", "floods standard error", "headers", { floodError: 8_000_000, stdout: good }),
    fault("F7", "drips", ["TimedOut"], { drip: { text: good.repeat(20), every: 20 } }),
    fault("F8", "exits 3", ["ExitedWith"], { stdout: good, exitCode: 3 }),
    prints("F9", "prints nothing", ["OutputEmpty"], ""),
    prints("F10", "prints text", ["OutputNotJson"], `token ${secret}`),
    prints("F10", "prints a line before it", ["OutputNotJson"], `token ${secret}\n${good}`),
    prints("F10", "prints a line after it", ["OutputNotJson"], `${good}\n${secret}`),
    prints("F10", "prints a byte order mark", ["OutputNotJson"], `\ufeff${good}`),
    prints("F10", "breaks off", ["OutputNotJson"], good.slice(0, -2)),
    prints("F11", "prints a list", ["OutputInvalid"], JSON.stringify([secret])),
    prints("F11", "prints a string", ["OutputInvalid"], JSON.stringify(secret)),
    prints("F12", "prints a number", ["OutputInvalid"], `{"X-Key":"${secret}","X-Count":1}`),
    prints("F12", "prints an object", ["OutputInvalid"], `{"X-Key":{"${secret}":"${secret}"}}`),
    prints("F13", "prints a name twice", ["OutputInvalid"], `{"x-key":"${secret}","X-Key":"${secret}"}`),
    prints("F13", "prints the secret as a name, twice", ["OutputInvalid"], `{"${secret} ":"a","${secret} ":"b"}`),
    prints("F14", "nests 20,000 levels", ["OutputNotJson"], `{"${secret}":${"[".repeat(20_000)}`),
    prints("F14", "prints __proto__", ["OutputInvalid"], `{"__proto__":{"X-Key":"${secret}"}}`),
    prints(
      "F14",
      "prints 3,000 names",
      ["HeaderTooLarge"],
      `{${Array.from({ length: 3_000 }, (_, index) => `"X-${index}":"${secret.slice(0, 4)}"`).join(",")}}`
    ),
    fault("F14", "prints 4 MB", ["OutputTooLarge"], { stdout: `{"X-Key":"${secret}`, flood: 4_000_000 }),
    prints("F15", "prints a line break", ["OutputInvalid"], value(`${secret}\r\nX-Other: ${secret}`)),
    prints("F15", "prints a control character", ["OutputInvalid"], value(`${secret}\u0007`)),
    prints("F15", "prints what is not ASCII", ["OutputInvalid"], value(`${secret}é`)),
    prints("F15", "prints a blank at the end", ["OutputInvalid"], value(`${secret} `)),
    prints("F16", "sets Host", ["HeaderForbidden"], `{"Host":"${secret}"}`),
    prints("F16", "sets a name of MCP", ["HeaderForbidden"], `{"Mcp-Session-Id":"${secret}"}`),
    prints("F17", "prints a value that is too long", ["HeaderTooLarge"], value(secret.repeat(1_000))),
    prints("F17", "prints a name that is too long", ["HeaderTooLarge"], `{"${secret.repeat(100)}":"a"}`),
    fault("F18", "does not exist", ["NotFound"], { stdout: good }, { command: (file) => [`${file}.gone`] }),
    fault("F18", "is not executable", ["NotExecutable"], { stdout: good }, { mode: 0o644 }),
    fault("F18", "has no folder to run in", ["NotExecutable"], { stdout: good }, { nowhere: true }),
    fault("F19", "dies of SIGSEGV", ["KilledBy"], { stdout: good, signal: "SIGSEGV" }),
    fault("F19", "is killed", ["KilledBy"], { stdout: good, signal: "SIGKILL" }),
    prints("F20", "never reads standard input", "headers", good),
    fault("F21", "reads standard input to its end", "headers", { readsInput: true, stdout: good }),
    fault("F22", "asks the terminal", ["TimedOut"], { language: "node", asksTerminal: true, stdout: good })
  ]
}

/** Rows whose figures are taken by {@link helperFaults}. */
export const ROWS: ReadonlyArray<string> = Array.from({ length: 22 }, (_, index) => `F${index + 1}`)

/** The program of a fault, and an entry whose helper it is; `more` is said of the entry besides. */
export const provoke = Effect.fnUntraced(function* (fault: HelperFault, name: string, more: EntryOptions = {}) {
  const fs = yield* FileSystem.FileSystem
  const fixture = yield* HelperFixture.make(fault.behaviour)
  if (fault.mode !== undefined) yield* fs.chmod(fixture.file, fault.mode)
  const target: ServerEntry = entry({
    directory: fault.nowhere === true ? `${fixture.directory}/gone` : fixture.directory,
    ...more,
    name,
    helper: { ...more.helper, command: fault.command?.(fixture.file) ?? fixture.command, timeout: fault.timeout }
  })
  return { fixture, target }
})

/** Whether an outcome is the one that a fault must have; the text names it where it is not. */
export const mismatch = (fault: HelperFault, tag: string): string | undefined => {
  const expected: ReadonlyArray<string> = fault.outcome === "headers" ? ["headers"] : fault.outcome
  return expected.includes(tag) ? undefined : `${fault.row}: ${fault.what}: ${tag} instead of ${expected.join(" or ")}`
}

const value = (text: string): string => JSON.stringify({ "X-Key": text })
