/** The figures of a failing helper, measured by a process of its own that has nothing else to do. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Report } from "../fixtures/helper-bounds.ts"
import { ROWS } from "./HelperFaults.ts"

/** Of each fault. */
const REPETITIONS = 3
/** Of a quick helper. */
const RUNS = 1_000
/** Milliseconds that an answer may take beyond the timeout of the helper. */
const GRACE = 1_500
/** Bytes that the process may hold more than before. */
const MEMORY = 16 * 1024 * 1024
/** Milliseconds, for all measurements together. */
const TIMEOUT = 240_000

const report = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-bounds-")))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const program = join(import.meta.dirname, "../fixtures/helper-bounds.ts")
  return yield* Effect.callback<Report>((done) => {
    const child = spawn(process.execPath, ["--expose-gc", program, String(REPETITIONS), String(RUNS), directory], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.once("close", (code) =>
      done(code === 0 ? Effect.sync((): Report => JSON.parse(output)) : Effect.die(new Error(`it exited with ${code}`)))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })
})

describe("a helper that goes wrong", () => {
  it.live(
    "is answered in time, in bounded memory, with no process of its group and no descriptor left after 1,000 runs",
    () =>
      Effect.gen(function* () {
        const { descriptors, faults } = yield* report
        assert.deepStrictEqual([...new Set(faults.map(({ row }) => row))], ROWS)
        const exceeding = (claim: (fault: Report["faults"][number]) => boolean) =>
          faults.filter((fault) => !claim(fault))

        assert.deepStrictEqual(
          exceeding(({ problem }) => problem === undefined),
          []
        )
        assert.deepStrictEqual(
          exceeding(({ elapsed, timeout }) => elapsed <= timeout + GRACE),
          []
        )
        assert.deepStrictEqual(
          exceeding(({ growth, peakGrowth }) => growth <= MEMORY && peakGrowth <= MEMORY),
          []
        )
        assert.deepStrictEqual(
          exceeding(({ left }) => left.length === 0),
          []
        )
        // What made a session of its own is out of reach of a signal to the group, which the documentation says.
        assert.deepStrictEqual(
          exceeding(({ row, strays }) => strays === (row === "F4" ? REPETITIONS : 0)),
          []
        )
        assert.deepInclude(descriptors, { runs: RUNS, failed: 0 })
        assert.isAtMost(descriptors.after, descriptors.before)
      }),
    TIMEOUT
  )
})
