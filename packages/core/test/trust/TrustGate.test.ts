/** Who gets a permit, with real files, approvals and a workspace that changes under the gate. */
import { chmodSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import {
  FileChanged,
  type HeaderError,
  NotTrusted,
  TrustRefused,
  TrustStoreFailed
} from "@letterhead/core/headers/HeaderError"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { layer, TrustGate } from "@letterhead/core/trust/TrustGate"
import { layerDenyAll, layerFile, layerMemory, TrustStore } from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { temporaryDirectory, write } from "./Workspace.ts"

const environment = Layer.succeed(Environment, { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` })
const gateOver = (store: Layer.Layer<TrustStore>) =>
  layer.pipe(Layer.provideMerge(store), Layer.provideMerge(NodeServices.layer), Layer.provideMerge(environment))

const repository = Effect.map(temporaryDirectory, (directory) => {
  write(directory, { "letterhead.json": "{}", "headers.js": "one" })
  return directory
})

const project = (directory: string, options: EntryOptions = {}): ServerEntry =>
  entry({
    name: "linear",
    scope: "project",
    directory,
    workspace: directory,
    helper: { command: ["node", "./headers.js"] },
    ...options
  })

const require = (of: ServerEntry) => Effect.flatMap(TrustGate, (gate) => gate.require(of))
const approve = Effect.fnUntraced(function* (of: ServerEntry, passEnv: ReadonlyArray<string> = []) {
  const subject = yield* TrustSubject.make(of)
  yield* (yield* TrustStore).approve(subject, { passEnv })
  return subject
})

const notTrusted = (error: HeaderError): NotTrusted => {
  assert.strictEqual(error.server, "linear")
  assert(error.reason instanceof NotTrusted, error.message)
  return error.reason
}

/** Swaps that F38 makes, and the milliseconds they may take on a loaded machine. */
const SWAPS = 10_000
const SWAPS_TIMEOUT = 240_000
/** Questions that are asked while one swaps without end. */
const QUESTIONS = 1_000

describe("TrustGate", () => {
  it.live(
    "F31: a project helper that nobody approved has no permit; the error holds the digest and the exact command",
    () =>
      Effect.gen(function* () {
        const of = project(yield* repository)
        const reason = notTrusted(yield* Effect.flip(require(of)))
        const subject = yield* TrustSubject.make(of)
        assert.strictEqual(reason.digest, subject.digest)
        assert.include(reason.subject, `helper runs: ${process.execPath} ./headers.js`)
        assert.deepStrictEqual(reason.changes, [])
        assert.include(reason.message, subject.digest)
        assert.include(reason.message, `${process.execPath} ./headers.js`)
        assert.include(reason.message, "letterhead trust approve linear")
      }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  it.live("an approved entry has a permit with what the approval passes on", () =>
    Effect.gen(function* () {
      const of = project(yield* repository)
      yield* approve(of, ["NPM_TOKEN"])
      const permit = yield* require(of)
      assert.deepStrictEqual(permit.passEnv, ["NPM_TOKEN"])
      yield* permit.verify
    }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  const changes: ReadonlyArray<readonly [what: string, options: EntryOptions, says: string]> = [
    ["F32: an argument", { helper: { command: ["node", "./headers.js", "--all"] } }, "+ helper runs: "],
    [
      "F32: a variable",
      { helper: { command: ["node", "./headers.js"], environment: { A: "1" } } },
      "+ helper variable: A=1"
    ],
    ["F33: the server's URL", { url: "https://mcp.example.net/mcp" }, "+ sends to: https://mcp.example.net/mcp"],
    ["F81: a header with a variable", { headers: { "X-A": "${HOME_SECRET}" } }, "+ header: X-A: ${HOME_SECRET}"]
  ]
  for (const [what, options, says] of changes) {
    it.live(`${what} that changed after the approval takes the permit away, and the error says what changed`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        yield* approve(project(directory))
        const reason = notTrusted(yield* Effect.flip(require(project(directory, options))))
        assert.isTrue(
          reason.changes.some((line) => line.startsWith(says)),
          reason.changes.join("\n")
        )
        yield* approve(project(directory, options))
        yield* require(project(directory, options))
      }).pipe(Effect.provide(gateOver(layerMemory)))
    )
  }

  it.live("F32: a byte of the script that changed after the approval takes the permit away", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      yield* approve(project(directory))
      writeFileSync(join(directory, "headers.js"), "two")
      const reason = notTrusted(yield* Effect.flip(require(project(directory))))
      assert.deepStrictEqual(reason.changes, [`~ covered file changed: ${join(directory, "headers.js")}`])
    }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  it.live("F37: a script that others can write is refused even where it was approved", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      yield* approve(project(directory))
      chmodSync(join(directory, "headers.js"), 0o666)
      const error = yield* Effect.flip(require(project(directory)))
      assert(error.reason instanceof TrustRefused)
      assert.strictEqual(error.reason.path, join(directory, "headers.js"))
    }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  it.live(
    "F38: what was swapped between the permit and the exit is noticed, whatever the moment",
    () =>
      Effect.gen(function* () {
        const directory = yield* repository
        const script = join(directory, "headers.js")
        yield* approve(project(directory))
        for (let swap = 0; swap < SWAPS; swap++) {
          const permit = yield* require(project(directory))
          writeFileSync(`${script}.new`, `swap ${swap}`)
          renameSync(`${script}.new`, script)
          const error = yield* Effect.flip(permit.verify)
          assert(error.reason instanceof FileChanged)
          assert.strictEqual(error.reason.path, script)
          writeFileSync(script, "one")
          yield* permit.verify
        }
      }).pipe(Effect.provide(gateOver(layerMemory))),
    SWAPS_TIMEOUT
  )

  it.live(
    "F38: while a script is swapped without end, the gate answers permit, no, or refused, and says no to the other script",
    () =>
      Effect.gen(function* () {
        const directory = yield* repository
        const script = join(directory, "headers.js")
        yield* approve(project(directory))
        const swapping = Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          for (let swap = 0; ; swap++) {
            yield* fs.writeFileString(`${script}.new`, swap % 2 === 0 ? "evil" : "one")
            yield* fs.rename(`${script}.new`, script)
          }
        })
        const outcomes = new Map<string, number>()
        const asking = Effect.gen(function* () {
          for (let ask = 0; ask < QUESTIONS; ask++) {
            const outcome = yield* require(project(directory)).pipe(
              Effect.as("permit"),
              Effect.catch((error) => Effect.succeed(error.reason._tag))
            )
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
          }
        })
        yield* Effect.raceFirst(asking, swapping)
        // Either the approved bytes were read, or other bytes, or the file was replaced in between: never a fourth thing.
        assert.deepStrictEqual(
          [...outcomes.keys()].filter((outcome) => !["permit", "NotTrusted", "TrustRefused"].includes(outcome)),
          []
        )
        assert.isAbove(outcomes.get("NotTrusted") ?? 0, 0)
      }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  it.live("F39: a store that cannot be read gives no permit, and the error names it and the server", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const state = join(directory, "state")
      const store = layerFile({ directory: state }).pipe(Layer.provide(NodeServices.layer))
      yield* Effect.gen(function* () {
        yield* approve(project(directory))
        yield* require(project(directory))
        writeFileSync(join(state, "trust.json"), "{")
        const error = yield* Effect.flip(require(project(directory)))
        assert.strictEqual(error.server, "linear")
        assert(error.reason instanceof TrustStoreFailed)
        assert.strictEqual(error.reason.path, join(state, "trust.json"))
      }).pipe(Effect.provide(gateOver(store)))
    })
  )

  it.live("F41: where nobody can approve, the answer is no", () =>
    Effect.gen(function* () {
      const of = project(yield* repository)
      notTrusted(yield* Effect.flip(require(of)))
      yield* Effect.flip(approve(of))
      notTrusted(yield* Effect.flip(require(of)))
    }).pipe(Effect.provide(gateOver(layerDenyAll)))
  )

  it.live("F41: an approval is for one digest; approving another one does not help", () =>
    Effect.gen(function* () {
      const of = project(yield* repository)
      const subject = yield* TrustSubject.make(of)
      yield* (yield* TrustStore).approve({ ...subject, digest: `sha256:${"0".repeat(64)}` })
      notTrusted(yield* Effect.flip(require(of)))
    }).pipe(Effect.provide(gateOver(layerMemory)))
  )

  const foreign: ReadonlyArray<readonly [what: string, options: EntryOptions]> = [
    ["a variable at a foreign URL", { headers: { "X-A": "${HOME_SECRET}" } }],
    ["a file at a foreign URL", { headers: { "X-A": "{file:~/.netrc}" } }],
    ["a variable into its URL", { url: "https://evil.example/${HOME_SECRET}" }],
    ["nothing outside, with a hook", { hooks: [import.meta.filename] }],
    ["nothing outside, and is a program", { stdio: { command: "node" } }]
  ]
  for (const [what, options] of foreign) {
    it.live(`F81: a project or remote entry that points ${what} has no permit before approval`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        for (const scope of ["project", "remote"] as const) {
          const of = entry({ name: "linear", url: "https://evil.example/mcp", directory, ...options, scope })
          notTrusted(yield* Effect.flip(require(of)))
        }
      }).pipe(Effect.provide(gateOver(layerMemory)))
    )
  }

  it.effect("entries of the person and of the administrator have a permit without a file being read", () =>
    Effect.gen(function* () {
      for (const scope of ["user", "managed"] as const) {
        const permit = yield* require(entry({ scope, helper: { command: ["/nowhere/tool"] } }))
        yield* permit.verify
        assert.deepStrictEqual(permit.passEnv, [])
      }
    }).pipe(
      Effect.provide(
        layer.pipe(
          Layer.provide(layerDenyAll),
          // Any use of this file system is a defect.
          Layer.provide(
            Layer.merge(NodeServices.layer, Layer.succeed(FileSystem.FileSystem, FileSystem.makeNoop(nothing)))
          )
        )
      )
    )
  )

  it.effect("a project entry that runs nothing and sends only its own text has a permit", () =>
    require(entry({ scope: "project", headers: { "X-A": "b" } })).pipe(Effect.provide(gateOver(layerDenyAll)))
  )
})

const nothing: Partial<FileSystem.FileSystem> = {
  lstat: () => Effect.die("a file was looked at"),
  stat: () => Effect.die("a file was looked at"),
  open: () => Effect.die("a file was opened"),
  readFile: () => Effect.die("a file was read")
}
