/**
 * Packs every package that is published, as it would be, and checks what came out, after a build.
 *
 * Each tarball holds its licence, its README, compiled modules and schemas only, names no workspace, and passes publint
 * and attw for every public module; core depends on nothing. All of them installed into an empty npm project can be
 * imported, module by module, and the bundled command runs.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { checkInstalled } from "./check-installed.ts"

const root = resolve(import.meta.dirname, "..")
const bin = join(root, "node_modules/.bin")

interface Tarball {
  readonly name: string
  readonly version: string
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const folder = mkdtempSync(join(tmpdir(), "letterhead-tarballs-"))
try {
  const tarballs = pack()
  for (const tarball of tarballs) {
    step(tarball.name)
    checkManifest(tarball)
    checkFiles(tarball)
    check(join(bin, "publint"), ["run", "--strict", tarball.filename])
    check(join(bin, "attw"), [
      tarball.filename,
      "--profile",
      "esm-only",
      "--no-color",
      "--include-entrypoints",
      ...publicModules(tarball)
    ])
  }
  step("installed with npm")
  checkInstalled(
    folder,
    tarballs.map((tarball) => ({ ...tarball, modules: publicModules(tarball) }))
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack(): ReadonlyArray<Tarball> {
  if (!existsSync(join(root, "packages/letterhead/dist/cli/main.js"))) throw new Error("build first: pnpm build")
  // Run by pnpm, this finds the same pnpm again.
  const report = execFileSync(
    "pnpm",
    ["--recursive", ...published().map((name) => `--filter=${name}`), "pack", "--json", "--pack-destination", folder],
    { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
  )
  const tarballs: ReadonlyArray<Tarball> = JSON.parse(report)
  return tarballs
}

/** The names of the packages that are not private. */
function published(): ReadonlyArray<string> {
  return readdirSync(join(root, "packages")).flatMap((folderName) => {
    const manifest: { readonly name: string; readonly private?: boolean } = JSON.parse(
      readFileSync(join(root, "packages", folderName, "package.json"), "utf8")
    )
    return manifest.private === true ? [] : [manifest.name]
  })
}

/** The modules that the `./*` export makes public, as specifiers. */
function publicModules(tarball: Tarball): ReadonlyArray<string> {
  return tarball.files.flatMap(({ path }) => {
    const module = /^dist\/(?!cli\/)(.*)\.js$/.exec(path)?.[1]
    if (module === undefined) return []
    return module === "index" ? [tarball.name] : [`${tarball.name}/${module}`]
  })
}

function checkManifest(tarball: Tarball): void {
  const text = execFileSync("tar", ["-xzOf", tarball.filename, "package/package.json"], { encoding: "utf8" })
  const unresolved = /"(?:workspace|catalog):[^"]*"/.exec(text)?.[0]
  if (unresolved !== undefined) throw new Error(`${tarball.name}: its manifest still says ${unresolved}`)
  if (tarball.name !== "@letterhead/core") return
  const manifest: Manifest = JSON.parse(text)
  const others = [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})]
  if (others.join() !== "effect") throw new Error(`core stands on effect alone, not on: ${others.join(", ")}`)
}

function checkFiles(tarball: Tarball): void {
  const paths = tarball.files.map(({ path }) => path)
  for (const required of ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts"]) {
    if (!paths.includes(required)) throw new Error(`${tarball.name}: ${required} is missing`)
  }
  const stray = paths.filter(
    (path) =>
      !/^(?:LICENSE|README\.md|package\.json|schema\/.*\.json|dist\/.*\.(?:js|d\.ts)|dist\/cli\/.*\.cjs)$/.test(path)
  )
  if (stray.length > 0) throw new Error(`${tarball.name}: would publish ${stray.join(", ")}`)
  const licence = execFileSync("tar", ["-xzOf", tarball.filename, "package/LICENSE"], { encoding: "utf8" })
  if (licence !== readFileSync(join(root, "LICENSE"), "utf8")) throw new Error(`${tarball.name}: another licence`)
}

function step(name: string): void {
  process.stdout.write(`- ${name}\n`)
}

/** Runs a tool; what it says is shown only where it fails. */
function check(command: string, args: ReadonlyArray<string>): void {
  try {
    execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  } catch (failure) {
    if (failure instanceof Error && "stdout" in failure) process.stdout.write(String(failure.stdout))
    throw failure
  }
}
