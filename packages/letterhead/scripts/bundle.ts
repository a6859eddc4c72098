/**
 * Bundles the `letterhead` command into `dist/cli`, so that a person waits for nothing that the verb does not need.
 *
 * `--version` loads `main.js` alone. What every verb needs that opens no connection is one file, since loading a file
 * costs more than its bytes. What else a module imports with `import()` becomes a file of its own, and the MCP SDK one
 * by whose name a check can see that it was not loaded. The bundle holds every package it needs.
 *
 * Usage: `node bundle.ts [FOLDER]`
 */
import { chmodSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { build, type OutputChunk } from "rolldown"
import { lateBuiltins, lateSegmenter } from "./late-loading.ts"

const SHEBANG = "#!/usr/bin/env node\n"
const EXECUTABLE = 0o755
/** Dynamic imports of what is loaded anyway: they matter when running from source. */
const HARMLESS = "INEFFECTIVE_DYNAMIC_IMPORT"

const home = resolve(import.meta.dirname, "..")
const folder = resolve(process.argv[2] ?? join(home, "dist/cli"))
const entry = join(home, "src/cli/main.ts")
/** With all that they import, the modules of the verb that a person is to wait for least. */
const early = [join(home, "src/cli/cli.ts")]

const earlyModules = new Set<string>()
const warnings: Array<string> = []

const { output } = await build({
  input: { main: entry },
  platform: "node",
  // ES modules first: jsonc-parser's "main" calls require() by another name, which no bundler can see.
  resolve: { mainFields: ["module", "main"] },
  plugins: [lateBuiltins, lateSegmenter],
  preserveEntrySignatures: "allow-extension",
  onLog: (level, log) => {
    if (level === "warn" && log.code !== HARMLESS) warnings.push(log.message)
  },
  output: {
    dir: folder,
    format: "esm",
    cleanDir: true,
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        {
          debugName: "command",
          name: (id, context) => {
            if (earlyModules.size === 0) collect(early, (module) => context.getModuleInfo(module)?.importedIds ?? [])
            return earlyModules.has(id) ? "command" : undefined
          }
        },
        { name: "mcp-sdk", test: /node_modules[\\/]@modelcontextprotocol[\\/]/ }
      ]
    }
  }
})

if (warnings.length > 0) throw new Error(`the bundler warns:\n${warnings.join("\n")}`)
const chunks = output.filter((file): file is OutputChunk => file.type === "chunk")
const main = chunks.find((chunk) => chunk.isEntry)
if (main === undefined) throw new Error("the bundle has no entry")
if (!readFileSync(join(folder, main.fileName), "utf8").startsWith(SHEBANG)) {
  throw new Error(`${entry} does not start with ${SHEBANG.trim()}`)
}
const ahead = main.imports.filter((name) => !name.startsWith("node:"))
if (ahead.length > 0) {
  throw new Error(`${main.fileName} loads ${ahead.join(", ")} before it looks at its arguments; use import() there`)
}
chmodSync(join(folder, main.fileName), EXECUTABLE)

for (const chunk of chunks.toSorted((a, b) => b.code.length - a.code.length)) {
  process.stdout.write(`${(chunk.code.length / 1024).toFixed(1).padStart(8)} KiB  ${chunk.fileName}\n`)
}

/** Puts into `earlyModules` the modules of `roots` and all that they import other than by `import()`. */
function collect(roots: ReadonlyArray<string>, importsOf: (id: string) => ReadonlyArray<string>): void {
  const waiting = [...roots]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (earlyModules.has(id)) continue
    earlyModules.add(id)
    waiting.push(...importsOf(id))
  }
}
