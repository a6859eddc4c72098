/** The command as it is published: bundled into a folder of its own, with nothing around it. */
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const home = resolve(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "letterhead-bundle-"))
const main = join(folder, "dist/cli/main.js")
const person = join(folder, "person")
const kept = join(person, "cache/letterhead/compile", `${process.version}-${process.arch}`, "headers")

beforeAll(() => {
  const built = spawnSync(process.execPath, [join(home, "scripts/bundle.ts"), join(folder, "dist/cli")])
  assert.strictEqual(built.status, 0, built.stderr.toString())
  copyFileSync(join(home, "package.json"), join(folder, "package.json"))
})
beforeEach(() => {
  rmSync(person, { recursive: true, force: true })
  mkdirSync(person)
  writeFileSync(
    join(person, "letterhead.json"),
    JSON.stringify({
      mcpServers: {
        plain: { url: "http://127.0.0.1:9/mcp", headers: { "X-Team": "blue" } },
        helped: { url: "http://127.0.0.1:9/mcp", headersHelper: { command: ["/bin/echo", '{"X-Token":"none"}'] } }
      },
      hooks: ["./hook.mjs"]
    })
  )
  writeFileSync(
    join(person, "hook.mjs"),
    `export default { "mcp.call.before": async (input, output) => { output.headers["X-Hook"] = input.server } }`
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: ReadonlyArray<string>) => runWith({}, ...args)

const runWith = (more: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...args], {
    cwd: person,
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      HOME: person,
      LETTERHEAD_HOME: person,
      XDG_CACHE_HOME: join(person, "cache"),
      TMPDIR: person,
      ...more
    }
  })
  return { status, stderr, stdout }
}

const headersOf = (server: string): string => {
  const { status, stderr, stdout } = run("headers", server)
  assert.strictEqual(status, 0, stderr)
  return stdout
}

describe("the bundle", () => {
  it("says its version, and what is wrong with a command line", () => {
    assert.match(run("--version").stdout, /^letterhead \d+\.\d+\.\d+/)
    assert.strictEqual(run("hedaers").status, 2)
  })

  it("runs helpers, and hooks that are modules of the person's own", () => {
    assert.include(headersOf("helped"), "X-Token")
    assert.include(headersOf("plain"), "X-Hook")
  })

  it("connects, also without what only the demo needs", () => {
    const { status, stderr } = run("tools", "plain")
    assert.include(stderr, "cannot reach http://127.0.0.1:9:")
    assert.strictEqual(status, 4)
    assert.strictEqual(run("demo").status, 0)
  })

  it("loads nothing of OAuth before somebody signed in", () => {
    const traced = { NODE_OPTIONS: `--require ${join(folder, "trace.cjs")}` }
    writeFileSync(
      join(folder, "trace.cjs"),
      `const fs = require("node:fs"), read = fs.readFileSync
      fs.readFileSync = (file, ...more) => {
        if (String(file).endsWith(".cjs")) process._rawDebug("chunk", file)
        return read(file, ...more)
      }
      require("node:module").syncBuiltinESMExports()`
    )
    const loadedBy = (...args: ReadonlyArray<string>) => runWith(traced, ...args).stderr.match(/^chunk .*$/gm) ?? []
    for (const args of [["headers", "plain"], ["headers", "helped"], ["servers"]]) {
      const loaded = loadedBy(...args)
      assert.isAbove(loaded.length, 0)
      assert.notMatch(loaded.join("\n"), /OAuthServices|CodeFlow|SignInLayer|TokenRecord|mcp-sdk/)
    }
    assert.match(loadedBy("auth", "inspect", "plain").join("\n"), /OAuthServices/)
  })

  it("keeps what was compiled, and keeps it anew when a run needed more", () => {
    const first = headersOf("plain")
    const { mtimeMs } = statSync(kept)
    assert.strictEqual(headersOf("plain"), first)
    assert.strictEqual(statSync(kept).mtimeMs, mtimeMs)
    headersOf("helped")
    assert.isAbove(statSync(kept).mtimeMs, mtimeMs)
  })

  it("keeps nothing of a run that failed", () => {
    assert.strictEqual(run("headers", "unknown").status, 2)
    assert.throws(() => statSync(kept))
  })

  it("works with code that is of no use, and replaces it", () => {
    const first = headersOf("plain")
    const whole = readFileSync(kept)
    const newline = whole.indexOf("\n") + 1
    for (const broken of [
      whole.subarray(0, -1),
      Buffer.concat([whole.subarray(0, newline), Buffer.alloc(whole.length - newline)])
    ]) {
      writeFileSync(kept, broken)
      assert.strictEqual(headersOf("plain"), first)
      assert.isFalse(readFileSync(kept).equals(broken))
    }
  })
})
