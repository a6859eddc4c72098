/**
 * Measures everything, prints the tables and writes them to the README of this package.
 *
 * `--quick`: few and short rounds of the two loads that bounds are about, for development; the README stays.
 * `--filter REGEXP`: only subjects whose name matches; the README stays.
 * `--profile FOLDER`: writes a processor profile of each subject's process there.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { verdicts } from "./Bounds.ts"
import { report } from "./Report.ts"
import { LOADS, run } from "./Suite.ts"

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, filter: { type: "string" }, profile: { type: "string" } }
})
const quick = values.quick === true

const results = await run({
  rounds: quick ? 3 : 15,
  milliseconds: 120,
  resolvings: quick ? 101 : 301,
  loads: quick ? LOADS.filter(({ format, inFlight }) => format === "json" && inFlight < 128) : LOADS,
  warming: quick ? { calls: 8_000, milliseconds: 1_500 } : {},
  filter: new RegExp(values.filter ?? ""),
  profile: values.profile,
  progress: (text) => process.stderr.write(`${text}\n`)
})
const text = report(results, verdicts(results))
process.stdout.write(`${text}\n`)
if (!quick && values.filter === undefined && values.profile === undefined) writeReadme(text)

/** Puts the tables between the two marks of the README. */
function writeReadme(tables: string): void {
  const [begin, end] = ["<!-- tables: begin -->", "<!-- tables: end -->"]
  const path = join(import.meta.dirname, "../README.md")
  const readme = readFileSync(path, "utf8")
  const [before, after] = [readme.indexOf(begin), readme.indexOf(end)]
  if (before === -1 || after < before) throw new Error(`${path} has lost its marks ${begin} and ${end}`)
  writeFileSync(path, `${readme.slice(0, before)}${begin}\n\n${tables}\n\n${readme.slice(after)}`)
}
