/**
 * Builds every package into its `dist`: modules and declarations by the compiler, the command by the bundler.
 *
 * Starts from nothing each time, so that what was deleted from `src` cannot be published.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

for (const name of readdirSync(join(root, "packages"))) {
  rmSync(join(root, "packages", name, "dist"), { recursive: true, force: true })
}
run(process.execPath, ["packages/config/scripts/schema.ts"])
run(join(root, "node_modules/.bin/tsc"), ["-b", "--force", "tsconfig.build.json"])
run(process.execPath, ["packages/letterhead/scripts/bundle.ts"])

function run(command: string, args: ReadonlyArray<string>): void {
  execFileSync(command, args, { cwd: root, stdio: "inherit" })
}
