/**
 * What a person gets who installs the tarballs with npm: every public module can be imported, and the command runs.
 *
 * Third-party packages come from the registry; ours from the tarballs. The project is empty and outside the workspace,
 * so a module that leans on a development dependency fails here.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

export interface Packed {
  readonly name: string
  readonly version: string
  /** Absolute path of the tarball. */
  readonly filename: string
  /** Every specifier that the package offers. */
  readonly modules: ReadonlyArray<string>
}

/** Prints each file that a program loads: modules by URL, and the chunks that the command reads by path. */
const LOAD_LISTENER = `import fs from "node:fs"
import { registerHooks, syncBuiltinESMExports } from "node:module"
registerHooks({ load: (url, context, next) => {
  if (url.startsWith("file:")) process.stderr.write("loaded " + url + "\\n")
  return next(url, context)
} })
const { readFileSync } = fs
fs.readFileSync = (file, ...rest) => {
  if (String(file).endsWith(".cjs")) process.stderr.write("loaded " + file + "\\n")
  return readFileSync(file, ...rest)
}
syncBuiltinESMExports()
`
const TSC = resolve(import.meta.dirname, "../node_modules/.bin/tsc")
const OUR_DECLARATION = /^(?:types\.ts|node_modules\/(?:@letterhead|letterhead)\/)/
const SDK_CHUNK = /\/mcp-sdk-[^/]*\.cjs/
const OAUTH_CHUNK = /\/(?:OAuthServices|CodeFlow|SignInLayer)-[^/]*\.cjs/

/** Installs `packages` into a new project below `folder`; throws at the first thing that does not work. */
export function checkInstalled(folder: string, packages: ReadonlyArray<Packed>): void {
  const project = join(folder, "project")
  const workspace = join(folder, "workspace")
  mkdirSync(project)
  mkdirSync(workspace)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  execFileSync(
    "npm",
    ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages.map(({ filename }) => filename)],
    { cwd: project, stdio: "inherit" }
  )

  const modules = packages.flatMap((installed) => installed.modules)
  const imports = modules.map((name) => `await import(${JSON.stringify(name)})`)
  writeFileSync(join(project, "imports.js"), imports.join("\n"))
  execFileSync(process.execPath, ["imports.js"], { cwd: project, stdio: "inherit" })
  process.stdout.write(`  ${modules.length} modules imported\n`)

  checkTypes(project, modules)

  writeFileSync(
    join(workspace, ".mcp.json"),
    JSON.stringify({
      mcpServers: { api: { type: "http", url: "http://127.0.0.1:9/mcp", headers: { "X-Team": "blue" } } }
    })
  )
  writeFileSync(join(project, "loaded.js"), LOAD_LISTENER)
  // Nothing of the person's own: neither configuration nor approvals.
  const environment = { PATH: process.env["PATH"], HOME: folder, LETTERHEAD_HOME: folder, TMPDIR: folder }
  const letterhead = (args: ReadonlyArray<string>): string =>
    execFileSync(join(project, "node_modules/.bin/letterhead"), args, {
      cwd: workspace,
      encoding: "utf8",
      env: environment,
      stdio: ["ignore", "pipe", "inherit"]
    })

  const version = packages.find(({ name }) => name === "letterhead")?.version
  expect("--version prints the version", letterhead(["--version"]).trim() === `letterhead ${version}`)
  expect("headers shows a header", letterhead(["headers", "api"]).includes("X-Team"))
  expect("demo ends well", letterhead(["demo"]).length > 0)

  const main = join(project, "node_modules/letterhead/dist/cli/main.js")
  const loaded = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
    const { status, stderr } = spawnSync(process.execPath, ["--import", "./loaded.js", main, ...args], {
      cwd: project,
      encoding: "utf8",
      env: environment
    })
    if (status !== 0) throw new Error(`letterhead ${args.join(" ")} ended with ${status}: ${stderr}`)
    return stderr.split("\n").filter((line) => line.startsWith("loaded "))
  }
  expect("--version loads one file", loaded(["--version"]).length === 1)
  const ofHeaders = loaded(["headers", "api", "--cwd", workspace])
  expect("headers loads nothing of OAuth where nobody signed in", !ofHeaders.some((line) => OAUTH_CHUNK.test(line)))
  expect("headers loads no MCP SDK", ofHeaders.length > 1 && !ofHeaders.some((line) => SDK_CHUNK.test(line)))
}

/** The declarations of ours, as a strict consumer's compiler reads them; those of others are not our matter. */
function checkTypes(project: string, modules: ReadonlyArray<string>): void {
  const imports = modules.map((name, index) => `export type * as Module${index} from ${JSON.stringify(name)}`)
  writeFileSync(join(project, "types.ts"), imports.join("\n"))
  for (const resolution of ["nodenext", "bundler"]) {
    const { stdout } = spawnSync(
      TSC,
      [
        "--noEmit",
        "--strict",
        "--target",
        "es2024",
        "--module",
        resolution === "bundler" ? "esnext" : resolution
      ].concat(["--moduleResolution", resolution, "--types", "", "types.ts"]),
      { cwd: project, encoding: "utf8" }
    )
    const ours = stdout.split("\n").filter((line) => OUR_DECLARATION.test(line))
    if (ours.length > 0) throw new Error(ours.join("\n"))
    expect(`the declarations hold under ${resolution}`, true)
  }
}

function expect(claim: string, holds: boolean): void {
  if (!holds) throw new Error(`does not hold: ${claim}`)
  process.stdout.write(`  ${claim}\n`)
}
