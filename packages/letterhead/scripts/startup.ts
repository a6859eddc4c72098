/**
 * Measures how fast the bundled command starts, against `node -e 0` on the same Node.
 *
 * The commands take turns, so that a slow moment of the machine hits all of them alike, and medians are compared.
 * `headers` resolves a server that has a static header and no helper: a helper's own time does not count. Ends with 1
 * where a bound is exceeded.
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

const main = resolve(import.meta.dirname, "../dist/cli/main.js")
const rounds = Number(process.argv[2] ?? ROUNDS_DEFAULT)

const folder = mkdtempSync(join(tmpdir(), "letterhead-startup-"))
const workspace = join(folder, "workspace")
mkdirSync(workspace)
writeFileSync(
  join(workspace, ".mcp.json"),
  JSON.stringify({
    mcpServers: { api: { type: "http", url: "http://127.0.0.1:9/mcp", headers: { "X-Team": "blue" } } }
  })
)

const subjects = [
  { name: "node -e 0", args: ["-e", "0"], bound: 1, times: [] as Array<number> },
  { name: "letterhead --version", args: [main, "--version"], bound: VERSION_BOUND, times: [] as Array<number> },
  { name: "letterhead headers", args: [main, "headers", "api"], bound: HEADERS_BOUND, times: [] as Array<number> }
]

try {
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const subject of subjects) {
      const milliseconds = run(subject.args)
      if (round >= 0) subject.times.push(milliseconds)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const base = median(subjects[0]?.times ?? [])
let exceeded = false
for (const subject of subjects) {
  const time = median(subject.times)
  const ratio = time / base
  if (ratio > subject.bound) exceeded = true
  const verdict = ratio > subject.bound ? "  EXCEEDED" : ""
  process.stdout.write(
    `${subject.name.padEnd(22)} ${time.toFixed(1).padStart(7)} ms   ` +
      `${ratio.toFixed(2)} of at most ${subject.bound.toFixed(2)}${verdict}\n`
  )
}
process.exitCode = exceeded ? 1 : 0

function run(args: ReadonlyArray<string>): number {
  const started = process.hrtime.bigint()
  const result = spawnSync(process.execPath, args, {
    cwd: workspace,
    // Nothing of the person's own, and a compile cache of its own: it lies in the temporary folder.
    env: { PATH: process.env["PATH"], HOME: folder, LETTERHEAD_HOME: folder, TMPDIR: folder },
    stdio: ["ignore", "ignore", "pipe"]
  })
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6
  if (result.status !== 0) {
    throw new Error(`${args.join(" ")} ended with ${result.status ?? result.signal}: ${result.stderr.toString()}`)
  }
  return milliseconds
}

function median(times: ReadonlyArray<number>): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
