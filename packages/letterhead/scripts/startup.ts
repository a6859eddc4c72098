/**
 * Measures how fast the bundled command starts, against `node -e 0` on the same Node.
 *
 * The commands take turns, so that a slow moment of the machine hits all of them alike, and medians are compared.
 * `headers` resolves a server that has a static header, one whose helper the person wrote into a file of their own, and
 * one whose helper came with the project and was approved. A helper's own time does not count: the same program is run
 * alone in each round, and what that took is taken off. Ends with 1 where a bound is exceeded.
 *
 * Usage: `node startup.ts [ROUNDS]`, after a build.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const ROUNDS_DEFAULT = 25
/** Runs of each that are not counted: they fill the compile cache and the file cache. */
const WARM_UPS = 3
/** Times `node -e 0`. */
const VERSION_BOUND = 2.5
const HEADERS_BOUND = 3.5

interface Subject {
  readonly name: string
  readonly command: ReadonlyArray<string>
  /** The helper that runs within it, as a command of its own. */
  readonly helper?: ReadonlyArray<string>
  readonly bound: number
  /** Milliseconds of each round, without the helper's own. */
  readonly times: Array<number>
  /** Milliseconds of each round that the helper took alone. */
  readonly helperTimes: Array<number>
}

const main = resolve(import.meta.dirname, "../dist/cli/main.js")
const rounds = Number(process.argv[2] ?? ROUNDS_DEFAULT)

const folder = mkdtempSync(join(tmpdir(), "letterhead-startup-"))
try {
  process.exitCode = report(measure(prepare())) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Writes the person's own configuration and the project's, approves the project's helper, and says what to run. */
function prepare(): ReadonlyArray<Subject> {
  const helper = join(folder, "workspace/headers.sh")
  mkdirSync(join(folder, "workspace"))
  writeFileSync(helper, `#!/bin/sh\nprintf '{"X-Token":"none"}'\n`, { mode: 0o755 })
  const server = { type: "http", url: "http://127.0.0.1:9/mcp" }
  const headersHelper = { command: [helper] }
  writeFileSync(join(folder, "letterhead.json"), JSON.stringify({ mcpServers: { own: { ...server, headersHelper } } }))
  writeFileSync(
    join(folder, "workspace/.mcp.json"),
    JSON.stringify({
      mcpServers: {
        static: { ...server, headers: { "X-Team": "blue" } },
        approved: { ...server, headersHelper }
      }
    })
  )
  approve("approved")
  const node = process.execPath
  const headers = (name: string) => [node, main, "headers", name]
  return [
    subject("node -e 0", [node, "-e", "0"], 1),
    subject("letterhead --version", [node, main, "--version"], VERSION_BOUND),
    subject("headers, static", headers("static"), HEADERS_BOUND),
    subject("headers, own helper", headers("own"), HEADERS_BOUND, [helper]),
    subject("headers, project's helper", headers("approved"), HEADERS_BOUND, [helper])
  ]
}

function subject(name: string, command: ReadonlyArray<string>, bound: number, helper?: ReadonlyArray<string>): Subject {
  return { name, command, bound, times: [], helperTimes: [], ...(helper === undefined ? {} : { helper }) }
}

/** Approves what an entry would run now, by the digest that the refusal names. */
function approve(server: string): void {
  const refusal = start([process.execPath, main, "trust", "approve", server]).stderr.toString()
  const digest = /sha256:[0-9a-f]{64}/.exec(refusal)?.[0]
  if (digest === undefined) throw new Error(`no digest to approve in: ${refusal}`)
  run([process.execPath, main, "trust", "approve", server, "--digest", digest])
}

function measure(subjects: ReadonlyArray<Subject>): ReadonlyArray<Subject> {
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const { command, helper, helperTimes, times } of subjects) {
      const whole = run(command)
      const helperAlone = helper === undefined ? 0 : run(helper)
      if (round < 0) continue
      times.push(whole - helperAlone)
      helperTimes.push(helperAlone)
    }
  }
  return subjects
}

/** Prints a line for each; whether all are within their bounds. */
function report(subjects: ReadonlyArray<Subject>): boolean {
  const base = median(subjects[0]?.times ?? [])
  let within = true
  for (const { bound, helper, helperTimes, name, times } of subjects) {
    const time = median(times)
    const ratio = time / base
    const exceeded = ratio > bound
    if (exceeded) within = false
    const without = helper === undefined ? "" : `  without the helper's own ${median(helperTimes).toFixed(1)} ms`
    process.stdout.write(
      `${name.padEnd(26)} ${time.toFixed(1).padStart(6)} ms   ` +
        `${ratio.toFixed(2)} of at most ${bound.toFixed(2)}${without}${exceeded ? "  EXCEEDED" : ""}\n`
    )
  }
  return within
}

/** Milliseconds until the command has ended, which it must with 0. */
function run(command: ReadonlyArray<string>): number {
  const started = process.hrtime.bigint()
  const result = start(command)
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6
  if (result.status !== 0) {
    throw new Error(`${command.join(" ")} ended with ${result.status ?? result.signal}: ${result.stderr.toString()}`)
  }
  return milliseconds
}

function start([file = "", ...args]: ReadonlyArray<string>) {
  return spawnSync(file, args, {
    cwd: join(folder, "workspace"),
    // Nothing of the person's own, and a compile cache of its own: it lies in the temporary folder.
    env: { PATH: process.env["PATH"], HOME: folder, LETTERHEAD_HOME: folder, TMPDIR: folder },
    stdio: ["ignore", "ignore", "pipe"]
  })
}

function median(times: ReadonlyArray<number>): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
