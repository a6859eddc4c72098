/**
 * Bundles the `letterhead` command into `dist/cli`, so that a person waits for nothing that the verb does not need.
 *
 * `--version` loads `main.js` alone. Everything else lies in chunks that `CommandBundle` loads: what every verb needs
 * that opens no connection is one of them, since loading a file costs more than its bytes, and so is what runs a helper.
 * What else a module imports with `import()` becomes a chunk of its own, and the MCP SDK one by whose name a check can
 * see that it was not loaded. The bundle holds every package it needs.
 *
 * Usage: `node bundle.ts [FOLDER]`
 */
import { chmodSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { join, resolve } from "node:path"
import { build, type BuildOptions, type CodeSplittingGroup, type OutputChunk, type Plugin } from "rolldown"
import { lateBuiltins, lateSegmenter } from "./late-loading.ts"

const SHEBANG = "#!/usr/bin/env node\n"
const EXECUTABLE = 0o755
const NOT_ASCII = /[^\0-\x7f]/g
/** A chunk is a function that is called as Node calls a CommonJS module; as an ES module, it is strict. */
const CHUNK_START = `(function (exports, require, module, __filename, __dirname) {"use strict";`
const CHUNK_END = "})"

const home = resolve(import.meta.dirname, "..")
const folder = resolve(process.argv[2] ?? join(home, "dist/cli"))
const source = (name: string): string => join(home, "src", name)

/** With all that they import, the modules of the verb that a person is to wait for least. */
const early = [source("cli/cli.ts")]
/** The same beyond that for running a helper, */
const helper = [source("HelperProcesses.ts")]
/** and for telling whether what came with a project was approved. */
const trust = [join(home, "../core/src/trust/TrustSubject.ts")]

const warnings: Array<string> = []
const common: BuildOptions = {
  platform: "node",
  // ES modules first: jsonc-parser's "main" calls require() by another name, which no bundler can see.
  resolve: { mainFields: ["module", "main"] },
  onLog: (level, log) => {
    if (level === "warn" && !isHarmless(log.code, log.message)) warnings.push(log.message)
  }
}

/** Escapes what is not ASCII: one other character doubles the memory of a whole chunk. */
const ascii: Plugin = {
  name: "ascii",
  generateBundle: (_, bundle) => {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk") file.code = file.code.replace(NOT_ASCII, escaped)
    }
  }
}

const loaded = await build({
  ...common,
  input: { command: source("cli/cli.ts") },
  preserveEntrySignatures: "allow-extension",
  // They take 4 to 11 ms each to load.
  plugins: [lateBuiltins("node:child_process", "node:crypto", "node:readline"), lateSegmenter, ascii],
  output: {
    dir: folder,
    format: "cjs",
    cleanDir: true,
    minify: true,
    postBanner: CHUNK_START,
    postFooter: CHUNK_END,
    entryFileNames: "[name]-[hash].cjs",
    chunkFileNames: "[name]-[hash].cjs",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        group("command", early),
        group("helper", helper),
        group("trust", trust),
        // The client alone: the demo has a server too, and one chunk of both would begin with the other.
        { name: "mcp-sdk", test: /node_modules[\\/]@modelcontextprotocol[\\/]client[\\/]/ }
      ]
    }
  }
})
const chunks = loaded.output.filter((file) => file.type === "chunk")
const started = await build({
  ...common,
  input: { main: source("cli/main.ts") },
  transform: { define: { LETTERHEAD_COMMAND: JSON.stringify(`./${entryOf(chunks).fileName}`) } },
  plugins: [
    // An import gathers all that it has, which takes 3 ms: promises, readline, the history of a REPL.
    lateBuiltins("node:fs"),
    {
      name: "command-of-bundle",
      resolveId: (id) => (id === "./CommandSource.ts" ? source("cli/CommandBundle.ts") : undefined)
    }
  ],
  output: { dir: folder, format: "esm", minify: true, entryFileNames: "[name].js" }
})
chunks.push(...started.output.filter((file) => file.type === "chunk"))

if (warnings.length > 0) throw new Error(`the bundler warns:\n${warnings.join("\n")}`)
checkImports(chunks)
const main = entryOf(started.output.filter((file) => file.type === "chunk"))
if (!readFileSync(join(folder, main.fileName), "utf8").startsWith(SHEBANG)) {
  throw new Error(`${main.fileName} does not start with ${SHEBANG.trim()}`)
}
chmodSync(join(folder, main.fileName), EXECUTABLE)

for (const chunk of chunks.toSorted((a, b) => b.code.length - a.code.length)) {
  process.stdout.write(`${(chunk.code.length / 1024).toFixed(1).padStart(8)} KiB  ${chunk.fileName}\n`)
}

/** A chunk of `roots` and all that they import other than by `import()`, as far as no chunk before it has that. */
function group(chunk: string, roots: ReadonlyArray<string>): CodeSplittingGroup {
  let modules: ReadonlySet<string> | undefined
  return {
    debugName: chunk,
    name: (id, context) => {
      modules ??= closure(roots, (module) => context.getModuleInfo(module)?.importedIds ?? [])
      return modules.has(id) ? chunk : null
    }
  }
}

function closure(roots: ReadonlyArray<string>, importsOf: (id: string) => ReadonlyArray<string>): ReadonlySet<string> {
  const modules = new Set<string>()
  const waiting = [...roots]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (modules.has(id)) continue
    modules.add(id)
    waiting.push(...importsOf(id))
  }
  return modules
}

function entryOf(chunks: ReadonlyArray<OutputChunk>): OutputChunk {
  const entry = chunks.find((chunk) => chunk.isEntry)
  if (entry === undefined) throw new Error("the bundle has no entry")
  return entry
}

/** A chunk finds chunks and parts of Node, and `main.js` parts of Node alone: it looks at its arguments first. */
function checkImports(chunks: ReadonlyArray<OutputChunk>): void {
  const names = new Set(chunks.map((chunk) => chunk.fileName))
  for (const { dynamicImports, fileName, imports } of chunks) {
    const strange = [...imports, ...dynamicImports].filter(
      (name) => !isBuiltin(name) && (fileName === "main.js" || !names.has(name))
    )
    if (strange.length > 0) throw new Error(`${fileName} cannot load ${strange.join(", ")}`)
  }
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
}

function isHarmless(code: string | undefined, message: string): boolean {
  switch (code) {
    // Dynamic imports of what is loaded anyway: they matter when running from source.
    case "INEFFECTIVE_DYNAMIC_IMPORT":
      return true
    // Variables of the environment that only bundlers of web pages know.
    case "EMPTY_IMPORT_META":
      return message.includes("ConfigProvider.js")
    default:
      return false
  }
}
