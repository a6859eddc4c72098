/**
 * Bundles the `letterhead` command into `dist/cli`: one file per thing that is loaded at its own time.
 *
 * What a module imports with `import()` becomes a file of its own, so `--version` loads `main.js` alone and `headers`
 * loads no MCP SDK. The bundle holds every package it needs; the command has no dependency at run time.
 *
 * Usage: `node bundle.ts [ENTRY] [FOLDER]`
 */
import { chmodSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { build, type OutputChunk } from "rolldown"

const SHEBANG = "#!/usr/bin/env node\n"
const EXECUTABLE = 0o755
/** The MCP SDK has a file of its own, by whose name a check can see that a verb does not load it. */
const SDK_CHUNK = "mcp-sdk"

const home = resolve(import.meta.dirname, "..")
const entry = resolve(process.argv[2] ?? join(home, "src/cli/main.ts"))
const folder = resolve(process.argv[3] ?? join(home, "dist/cli"))

const { output } = await build({
  input: { main: entry },
  platform: "node",
  // ES modules first: jsonc-parser's "main" calls require() by another name, which no bundler can see.
  resolve: { mainFields: ["module", "main"] },
  // A warning of the bundler is a broken import or a cycle that runs in the wrong order.
  onLog: (level, log, handler) => {
    if (level === "warn") throw new Error(`the bundler warns: ${log.message}`)
    handler(level, log)
  },
  output: {
    dir: folder,
    format: "esm",
    cleanDir: true,
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: { groups: [{ name: SDK_CHUNK, test: /node_modules\/@modelcontextprotocol\// }] }
  }
})

const chunks = output.filter((file): file is OutputChunk => file.type === "chunk")
const main = chunks.find((chunk) => chunk.isEntry)
if (main === undefined) throw new Error("the bundle has no entry")
if (!readFileSync(join(folder, main.fileName), "utf8").startsWith(SHEBANG)) {
  throw new Error(`${entry} does not start with ${SHEBANG.trim()}`)
}
const early = main.imports.filter((name) => !name.startsWith("node:"))
if (early.length > 0) {
  throw new Error(`${main.fileName} loads ${early.join(", ")} before it looks at its arguments; use import() there`)
}
chmodSync(join(folder, main.fileName), EXECUTABLE)

for (const chunk of chunks.toSorted((a, b) => b.code.length - a.code.length)) {
  process.stdout.write(`${(chunk.code.length / 1024).toFixed(1).padStart(8)} KiB  ${chunk.fileName}\n`)
}
