/**
 * Runs Effect's own diagnostics over the whole tree, warnings counting as errors.
 *
 * The tool succeeds without a word where the compiler plug-in is not configured and it checks nothing; here, checking
 * nothing is a failure.
 */
import { spawnSync } from "node:child_process"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const { status, stdout } = spawnSync(
  join(root, "node_modules/.bin/effect-tsgo"),
  ["diagnostics", "--strict", "--project", "tsconfig.json"],
  { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
)
process.stdout.write(stdout)

const checked = /Checked (\d+) files/.exec(stdout)?.[1]
if (checked === undefined || checked === "0") {
  process.stderr.write("no file was checked: is the plug-in @effect/language-service named in tsconfig.base.json?\n")
  process.exitCode = 1
} else {
  process.exitCode = status ?? 1
}
