/** The command at a real terminal, of `script` from util-linux. */
import { spawn, spawnSync } from "node:child_process"
import { describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { MAIN, type Person } from "./Command.ts"

/** Whether there is that `script`; macOS has another. */
const hasTerminal = spawnSync("script", ["--version"]).stdout?.toString().includes("util-linux") ?? false

/** Tests at a terminal, which are skipped where there is none. */
export const describeAtTerminal = describe.skipIf(!hasTerminal).concurrent

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What to wait for before `answer` is typed. */
  readonly question?: string
  /** What is typed, or what makes it of the screen. */
  readonly answer?: string | ((screen: string) => Promise<string>)
}

/** Runs the command at a terminal 100 columns wide; types `answer` once `question` is seen. */
export const atTerminal = (someone: Person, args: ReadonlyArray<string>, options: TerminalOptions = {}) =>
  Effect.callback<{ readonly code: number | null; readonly screen: string }>((resume) => {
    const command = `stty cols 100 rows 40; exec ${[process.execPath, MAIN, ...args].map(quote).join(" ")}`
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      cwd: someone.project,
      env: { ...someone.env, SHELL: "/bin/sh", ...options.env },
      stdio: ["pipe", "pipe", "inherit"]
    })
    let screen = ""
    let asked = false
    child.stdout.on("data", (chunk: Buffer) => {
      screen += chunk.toString()
      if (!asked && options.question !== undefined && screen.includes(options.question)) {
        asked = true
        const { answer = "" } = options
        if (typeof answer === "string") child.stdin.write(answer)
        else void answer(screen).then((typed) => child.stdin.write(typed))
      }
    })
    child.once("close", (code) => resume(Effect.succeed({ code, screen })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
