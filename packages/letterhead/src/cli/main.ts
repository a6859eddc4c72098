#!/usr/bin/env node
/**
 * The `letterhead` command.
 *
 * Answers `--version` before anything else is loaded, and has compiled code kept between runs: start-up time is what a
 * person notices first.
 */
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import * as NodeVersion from "./NodeVersion.ts"
import { load } from "./CommandSource.ts"

const args = process.argv.slice(2)
const tooOld = NodeVersion.defect(process.versions.node)

const readVersion = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "?"
}

/** A folder of the person's own: a shared one would let others choose what code runs. */
const compiledCodeDirectory = (): string => {
  const base = process.env["XDG_CACHE_HOME"]
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), ".cache"), "letterhead", "compile")
}

/**
 * Where the person stands. A package manager runs a script of this repository at its root and says in INIT_CWD where
 * it was called; an installed program stands where it was started.
 */
const standing = (): string => {
  const start = process.env["INIT_CWD"]
  const root = resolve(import.meta.dirname, "../../../..")
  const isScript = import.meta.filename.endsWith(".ts") && process.cwd() === root
  return isScript && start !== undefined && isAbsolute(start) ? start : process.cwd()
}

if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
  process.stdout.write(`letterhead ${readVersion()}\n`)
} else if (tooOld !== undefined) {
  process.stderr.write(`${tooOld}\n`)
  process.exitCode = 2
} else {
  const { run } = await load({ compiled: compiledCodeDirectory(), verb: args[0] ?? "" })
  run({ version: readVersion(), directory: standing(), environment: process.env, arguments: args })
}
