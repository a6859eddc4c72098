/** The stores against their laws, and the file store against real files, processes and a full disk. */
import { spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { type HeaderError, TrustStoreFailed } from "@letterhead/core/headers/HeaderError"
import { layerDenyAll, layerFile, layerMemory, TrustStore } from "@letterhead/core/trust/TrustStore"
import { laws, subject } from "@letterhead/testing/laws/TrustStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execute, temporaryDirectory } from "./Workspace.ts"

const fixture = join(import.meta.dirname, "approve.fixture.ts")
const someone = subject({ configuration: "/repository/letterhead.json", server: "linear" })

const layerIn = (directory: string) => Layer.provide(layerFile({ directory }), NodeServices.layer)

const inStore = <A, E>(directory: string, use: (store: TrustStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(TrustStore, use).pipe(Effect.provide(layerIn(directory)))

/** What `check` says about a store in that state; the store must not answer. */
const failureOf = (directory: string): Effect.Effect<TrustStoreFailed> =>
  inStore(directory, (store) => Effect.flip(store.check(someone))).pipe(
    Effect.map((error) => storeFailure(error)),
    Effect.orDie
  )

const storeFailure = (error: HeaderError): TrustStoreFailed => {
  if (!(error.reason instanceof TrustStoreFailed)) throw new Error(`not a failure of the store: ${error.message}`)
  return error.reason
}

describe("layerMemory", () => {
  for (const { name, check } of laws) it.effect(name, () => Effect.provide(check, layerMemory))
})

describe("layerFile", () => {
  for (const { name, check } of laws) {
    it.live(name, () =>
      Effect.flatMap(temporaryDirectory, (folder) => Effect.provide(check, layerIn(join(folder, "a"))))
    )
  }

  it.live("an approval outlives the layer", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state", "letterhead")
      yield* inStore(directory, (store) => store.approve(someone, { passEnv: ["NPM_TOKEN"] }))
      const decision = yield* inStore(directory, (store) => store.check(someone))
      assert(decision._tag === "Approved")
      assert.deepStrictEqual(decision.approval.subject, someone)
      assert.deepStrictEqual(decision.approval.passEnv, ["NPM_TOKEN"])
    })
  )

  it.live("building and checking touch nothing", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.check(someone))
      assert.strictEqual(existsSync(directory), false)
    })
  )

  it.live("the folder has mode 0700, the file 0600, and nothing else is left there", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.approve(someone))
      assert.strictEqual(lstatSync(directory).mode & 0o777, 0o700)
      assert.strictEqual(lstatSync(join(directory, "trust.json")).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(directory), ["trust.json"])
    })
  )

  it.live("F69: a folder and a file that others can read are tightened", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.approve(someone))
      chmodSync(directory, 0o755)
      chmodSync(join(directory, "trust.json"), 0o644)
      yield* inStore(directory, (store) => store.check(someone))
      assert.strictEqual(lstatSync(directory).mode & 0o777, 0o700)
      assert.strictEqual(lstatSync(join(directory, "trust.json")).mode & 0o777, 0o600)
    })
  )

  const states: ReadonlyArray<readonly [state: string, make: (directory: string) => void, says: RegExp]> = [
    ["a file that others can write", (at) => chmodSync(join(at, "trust.json"), 0o622), /written by other users/],
    ["a folder that others can write", (at) => chmodSync(at, 0o777), /written by other users/],
    [
      "a symbolic link",
      (at) => {
        writeFileSync(join(at, "elsewhere"), readFileSync(join(at, "trust.json")), { mode: 0o600 })
        replace(at, (file) => symlinkSync(join(at, "elsewhere"), file))
      },
      /symbolic link/
    ],
    ["a FIFO, which never blocks", (at) => replace(at, (file) => execute("mkfifo", [file])), /not a regular file/],
    ["a folder in its place", (at) => replace(at, (file) => mkdirSync(file)), /not a regular file/]
  ]
  for (const [state, make, says] of states) {
    it.live(`F37: the store is refused as ${state}`, () =>
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "state")
        yield* inStore(directory, (store) => store.approve(someone))
        make(directory)
        const failure = yield* failureOf(directory)
        assert.strictEqual(failure.path, join(directory, "trust.json"))
        assert.match(failure.message, says)
      })
    )
  }

  it.live.skipIf(process.getuid?.() !== 0)("F37: the store is refused as a file of another user (needs root)", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.approve(someone))
      chownSync(join(directory, "trust.json"), 65_534, 65_534)
      assert.match((yield* failureOf(directory)).message, /another user/)
    })
  )

  const contents: ReadonlyArray<readonly [name: string, text: string]> = [
    ["empty", ""],
    ["not JSON", "{ canary-content"],
    ["of another version", '{"version":2,"approvals":[]}'],
    ["of wrong types", '{"version":1,"approvals":[{"subject":"canary-content"}]}'],
    ["larger than 1 MiB", `{"version":1,"approvals":[]}${" ".repeat(1024 * 1024)}`]
  ]
  for (const [name, text] of contents) {
    it.live(`F39: a store that is ${name} trusts nothing, is kept, and is named without its content`, () =>
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "state")
        const file = join(directory, "trust.json")
        mkdirSync(directory, { mode: 0o700 })
        writeFileSync(file, text, { mode: 0o600 })
        const checked = yield* failureOf(directory)
        const approved = storeFailure(yield* inStore(directory, (store) => Effect.flip(store.approve(someone))))
        for (const failure of [checked, approved]) {
          assert.include(failure.message, file)
          assert.notInclude(failure.message, "canary-content")
        }
        assert.strictEqual(readFileSync(file, "utf8"), text)
      })
    )
  }

  it.live("F39: a full disk fails the approval, keeps the old file and leaves nothing behind", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.approve(someone))
      const before = readFileSync(join(directory, "trust.json"), "utf8")
      // No process may write more than 0 blocks to a file: the write fails as on a full disk.
      const said = yield* run("sh", ["-c", 'ulimit -f 0; exec "$@"', "sh", process.execPath, fixture, directory, "two"])
      assert.include(said, join(directory, "trust.json"))
      assert.include(said, "cannot be written, and is unchanged")
      assert.strictEqual(readFileSync(join(directory, "trust.json"), "utf8"), before)
      assert.deepStrictEqual(readdirSync(directory), ["trust.json"])
    })
  )

  it.live("a store that would grow past what can be read again refuses the approval", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      yield* inStore(directory, (store) => store.approve(someone))
      const huge = subject({ configuration: "/huge", server: "a", lines: [["hook", "x".repeat(1024 * 1024)]] })
      const failure = storeFailure(yield* inStore(directory, (store) => Effect.flip(store.approve(huge))))
      assert.include(failure.message, "would be larger than")
      assert.strictEqual((yield* inStore(directory, (store) => store.check(someone)))._tag, "Approved")
    })
  )

  it.live("F40: 16 processes that approve at once all survive", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "state")
      const servers = Array.from({ length: 16 }, (_, index) => `server-${index}`)
      const said = yield* Effect.forEach(servers, (server) => run(process.execPath, [fixture, directory, server]), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        said,
        servers.map(() => "approved")
      )
      const listed = yield* inStore(directory, (store) => store.list)
      assert.deepStrictEqual(listed.map((approval) => approval.subject.server).toSorted(), servers.toSorted())
      assert.deepStrictEqual(readdirSync(directory), ["trust.json"])
    })
  )
})

describe("layerDenyAll", () => {
  it.effect("F41: nothing is approved and nothing can be", () =>
    Effect.gen(function* () {
      const store = yield* TrustStore
      assert.strictEqual((yield* store.check(someone))._tag, "NeverApproved")
      assert.include(storeFailure(yield* Effect.flip(store.approve(someone))).message, "takes no approvals")
      assert.strictEqual((yield* store.check(someone))._tag, "NeverApproved")
      assert.deepStrictEqual(yield* store.list, [])
    }).pipe(Effect.provide(layerDenyAll))
  )
})

const replace = (directory: string, make: (file: string) => void): void => {
  const file = join(directory, "trust.json")
  execute("rm", [file])
  make(file)
}

/** What a process prints to its standard output. */
const run = (command: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.on("data", (chunk) => (output += String(chunk)))
    child.on("close", () => resume(Effect.succeed(output)))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
