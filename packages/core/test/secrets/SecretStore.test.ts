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
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { QUARANTINED } from "@letterhead/core/secrets/SecretFolder"
import { hash } from "@letterhead/core/secrets/SecretKey"
import { layerFile, layerMemory, make, SecretStore, UNSAVED } from "@letterhead/core/secrets/SecretStore"
import { CANARY, key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { execute, temporaryDirectory } from "../trust/Workspace.ts"

const fixture = join(import.meta.dirname, "keep.fixture.ts")
const own = key({})
const secret = Redacted.make(`${CANARY}-1`)

const layerIn = (directory: string) => Layer.provide(layerFile({ directory }), NodeServices.layer)

const inStore = <A, E>(directory: string, use: (store: SecretStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(SecretStore, use).pipe(Effect.provide(layerIn(directory)))

const valueIn = (directory: string, of = own) =>
  Effect.map(
    inStore(directory, (store) => store.get(of)),
    (value) => Option.getOrUndefined(Option.map(value, Redacted.value))
  )

/** A store that keeps one secret, and the file it is in. */
const storeWithSecret = Effect.gen(function* () {
  const directory = join(yield* temporaryDirectory, "credentials")
  yield* inStore(directory, (store) => store.set(own, secret))
  return { directory, file: join(directory, `${yield* hash(own)}.json`) }
})

const failureOf = (error: unknown): SecretStoreFailed => {
  if (!(error instanceof HeaderError) || !(error.reason instanceof SecretStoreFailed)) {
    throw new Error(`not a failure of the store: ${String(error)}`)
  }
  return error.reason
}

/** Runs with every log line kept; fails where a secret is in one. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(
      ({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`)
    )
    const answer = yield* Effect.provide(effect, Logger.layer([logger]))
    assert.notInclude(lines.join("\n"), CANARY)
    return { answer, lines }
  })

describe("layerMemory", () => {
  for (const { name, check } of laws) it.effect(name, () => Effect.provide(check, layerMemory))
})

describe("layerFile", () => {
  for (const { name, check } of laws) {
    it.live(name, () =>
      Effect.flatMap(temporaryDirectory, (folder) => Effect.provide(check, layerIn(join(folder, "a"))))
    )
  }

  it.live("a secret outlives the layer; one that was removed leaves nothing", () =>
    Effect.gen(function* () {
      const { directory } = yield* storeWithSecret
      assert.strictEqual(yield* valueIn(directory), `${CANARY}-1`)
      assert.isTrue(yield* inStore(directory, (store) => store.remove(own)))
      assert.strictEqual(yield* valueIn(directory), undefined)
      assert.deepStrictEqual(readdirSync(directory), [])
    })
  )

  it.live("building, reading and listing touch nothing", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "credentials")
      yield* inStore(directory, (store) => Effect.andThen(store.get(own), store.list))
      assert.isFalse(existsSync(directory))
    })
  )

  it.live("the folder has mode 0700, the file 0600, and the list says where", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      assert.strictEqual(lstatSync(directory).mode & 0o777, 0o700)
      assert.strictEqual(lstatSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(directory), [file.slice(directory.length + 1)])
      assert.deepStrictEqual(yield* inStore(directory, (store) => store.list), [{ ...own, keptIn: directory }])
    })
  )

  it.live("F69: a folder and a file that others can read are tightened", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      chmodSync(directory, 0o755)
      chmodSync(file, 0o644)
      assert.strictEqual(yield* valueIn(directory), `${CANARY}-1`)
      assert.strictEqual(lstatSync(directory).mode & 0o777, 0o700)
      assert.strictEqual(lstatSync(file).mode & 0o777, 0o600)
    })
  )

  const states: ReadonlyArray<readonly [state: string, put: (file: string, directory: string) => void, says: RegExp]> =
    [
      ["a file that others can write", (file) => chmodSync(file, 0o622), /written by other users/],
      ["a folder that others can write", (_, directory) => chmodSync(directory, 0o777), /written by other users/],
      ["a symbolic link", (file) => replace(file, (at) => symlinkSync(`${at}.was`, at)), /symbolic link/],
      ["a FIFO, which never blocks", (file) => replace(file, (at) => execute("mkfifo", [at])), /not a regular file/],
      ["a folder in the file's place", (file) => replace(file, (at) => mkdirSync(at)), /not a regular file/],
      [
        "a symbolic link in the folder's place",
        (_, directory) => {
          renameSync(directory, `${directory}.was`)
          symlinkSync(`${directory}.was`, directory)
        },
        /symbolic link/
      ]
    ]
  for (const [state, put, says] of states) {
    it.live(`F69: the store is refused as ${state}`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        put(file, directory)
        const answers = yield* inStore(directory, (store) =>
          Effect.all([
            Effect.flip(store.get(own)),
            Effect.flip(store.set(own, Redacted.make(`${CANARY}-2`))),
            Effect.flip(store.list)
          ])
        )
        for (const error of answers) {
          assert.match(failureOf(error).message, says)
          assert.notInclude(error.message, CANARY)
        }
      })
    )
  }

  it.live.skipIf(process.getuid?.() !== 0)("F69: the store is refused as a file of another user (needs root)", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      chownSync(file, 65_534, 65_534)
      const error = yield* inStore(directory, (store) => Effect.flip(store.get(own)))
      assert.match(failureOf(error).message, /another user/)
    })
  )

  const contents: ReadonlyArray<readonly [name: string, spoil: (file: string) => void]> = [
    ["empty", (file) => writeFileSync(file, "")],
    ["not JSON", (file) => writeFileSync(file, `{ ${CANARY}`)],
    ["torn", (file) => writeFileSync(file, valid(file).slice(0, -20))],
    ["of another version", (file) => writeFileSync(file, valid(file).replace('"version":1', '"version":2'))],
    [
      "of wrong types",
      (file) => writeFileSync(file, valid(file).replace(/"generation":\d+/, `"generation":"${CANARY}"`))
    ],
    ["of another server", (file) => writeFileSync(file, valid(file).replace("linear", "other"))],
    ["100 MB large", (file) => truncateSync(file, 100_000_000)]
  ]
  for (const [name, spoil] of contents) {
    it.live(`F68: a file that is ${name} is moved aside, counts as not set, and is named without its content`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        spoil(file)
        const size = lstatSync(file).size
        const read = yield* logged(valueIn(directory))
        assert.strictEqual(read.answer, undefined)
        assert.strictEqual(read.lines.length, 1)
        assert.include(read.lines[0], `Warn the secret file ${file} `)
        assert.include(read.lines[0], `moved to ${file}${QUARANTINED}`)
        assert.isFalse(existsSync(file))
        assert.strictEqual(lstatSync(`${file}${QUARANTINED}`).size, size)
        const again = yield* logged(valueIn(directory))
        assert.deepStrictEqual(again.lines, [])
        yield* inStore(directory, (store) => store.set(own, Redacted.make("new")))
        assert.strictEqual(yield* valueIn(directory), "new")
      })
    )
    it.live(`F68: setting and listing meet a file that is ${name} and go on`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        yield* inStore(directory, (store) => store.set(key({ server: "kept" }), secret))
        spoil(file)
        const listed = yield* logged(inStore(directory, (store) => store.list))
        assert.deepStrictEqual(listed.answer, [{ ...key({ server: "kept" }), keptIn: directory }])
        writeFileSync(file, "spoilt again", { mode: 0o600 })
        const set = yield* logged(inStore(directory, (store) => store.set(own, Redacted.make("new"))))
        assert.strictEqual(set.lines.length, 1)
        assert.strictEqual(yield* valueIn(directory), "new")
      })
    )
  }

  it.live("F66: on a full disk a renewed value is used, said loudly, and the old file stays as it was", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      const before = readFileSync(file, "utf8")
      // No process may write more than 0 blocks to a file: the write fails as on a full disk.
      const { stderr, stdout } = yield* run("sh", [
        "-c",
        'ulimit -f 0; exec "$@"',
        "sh",
        process.execPath,
        fixture,
        directory,
        own.server,
        "renew",
        `${CANARY}-2`
      ])
      assert.include(stdout, "could not be saved, and is used until this program ends")
      assert.include(stdout, `holds the new value: true, in ${UNSAVED}`)
      assert.notInclude(stdout + stderr, CANARY)
      assert.strictEqual(readFileSync(file, "utf8"), before)
      assert.deepStrictEqual(readdirSync(directory), [file.slice(directory.length + 1)])
    })
  )

  it.live("F66: what a person sets on a full disk is an error, and nothing changes", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      const before = readFileSync(file, "utf8")
      const { stdout } = yield* run("sh", [
        "-c",
        'ulimit -f 0; exec "$@"',
        "sh",
        process.execPath,
        fixture,
        directory,
        own.server,
        "set",
        `${CANARY}-2`
      ])
      assert.include(stdout, "cannot be written, and is unchanged")
      assert.notInclude(stdout, CANARY)
      assert.strictEqual(readFileSync(file, "utf8"), before)
      assert.deepStrictEqual(readdirSync(directory), [file.slice(directory.length + 1)])
    })
  )

  it.live("F66: where the folder cannot be written, so that there is not even a lock, a renewed value is used", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      const before = readFileSync(file, "utf8")
      // Root may write everywhere, so the process is somebody else's, and so is the folder.
      const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
      if (account.uid !== undefined) {
        for (const path of [join(directory, ".."), directory, file]) chownSync(path, account.uid, account.gid)
      }
      chmodSync(directory, 0o500)
      const { stdout } = yield* run(process.execPath, [fixture, directory, own.server, "renew", `${CANARY}-2`], account)
      assert.include(stdout, "could not be saved, and is used until this program ends")
      assert.include(stdout, "holds the new value: true")
      assert.strictEqual(readFileSync(file, "utf8"), before)
      chmodSync(directory, 0o700)
    })
  )

  it.live("F67: a writer that is killed at any moment leaves the old or the new file, never a torn one", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryDirectory
      yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => index),
        Effect.fnUntraced(function* (index) {
          const directory = join(folder, `store-${index}`)
          yield* floodAndKill(directory, 11 * index)
          const value = yield* valueIn(directory)
          assert.match(value ?? "", /^(\d)\1*$/)
          const names = readdirSync(directory).filter((name) => name.includes(QUARANTINED))
          assert.deepStrictEqual(names, [])
        }),
        { concurrency: 2 }
      )
    })
  )

  it.live("the lock of a writer that was killed is taken over", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "credentials")
      yield* floodAndKill(directory, 50)
      yield* inStore(directory, (store) => store.set(own, Redacted.make("after")))
      assert.strictEqual(yield* valueIn(directory), "after")
      assert.deepStrictEqual(
        readdirSync(directory).filter((name) => !name.endsWith(".json")),
        []
      )
    })
  )

  it.live("8 processes that change one secret at once lose no change", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "credentials")
      const said = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => run(process.execPath, [fixture, directory, own.server, "count", "10"]),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(said.map(({ stdout }) => stdout)), new Set(["done"]))
      assert.strictEqual(yield* valueIn(directory), "80")
    })
  )

  it.live("who waits for one secret keeps nobody from another", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "credentials")
      yield* inStore(directory, (store) =>
        Effect.gen(function* () {
          const entered = yield* Deferred.make<void>()
          const release = yield* Deferred.make<void>()
          const slow = yield* Effect.forkChild(
            store.modify(own, () =>
              Effect.gen(function* () {
                yield* Deferred.succeed(entered, undefined)
                yield* Deferred.await(release)
                return [undefined, Option.some(secret)]
              })
            )
          )
          yield* Deferred.await(entered)
          yield* store.set(key({ field: "OTHER" }), Redacted.make("meanwhile"))
          yield* Deferred.succeed(release, undefined)
          yield* Fiber.join(slow)
          assert.strictEqual((yield* store.list).length, 2)
        })
      )
    })
  )
})

describe("make", () => {
  it.effect("F66: what could not be saved is saved with the next change, and is then nowhere else", () =>
    Effect.gen(function* () {
      const refusal = new HeaderError({ reason: new SecretStoreFailed({ path: "shelf", description: "is full" }) })
      let full = true
      const saved: Array<string> = []
      const store = yield* make({
        read: () => Effect.succeedNone,
        withRecord: (_, use) =>
          use(Option.none(), ({ content }) =>
            full
              ? Effect.fail(refusal)
              : Effect.sync(
                  () => void saved.push(content._tag === "Value" ? Redacted.value(content.value) : content._tag)
                )
          ),
        list: Effect.succeed([])
      })
      const renewed = yield* logged(
        store.modify(own, () => Effect.succeed(["answer", Option.some(Redacted.make("new"))]))
      )
      assert.strictEqual(renewed.answer, "answer")
      assert.include(renewed.lines.join(), "shelf is full")
      assert.deepStrictEqual(Option.map(yield* store.get(own), Redacted.value), Option.some("new"))
      assert.deepStrictEqual(yield* store.list, [{ ...own, keptIn: UNSAVED }])
      full = false
      yield* store.modify(own, (current) => Effect.succeed([undefined, current]))
      assert.deepStrictEqual(saved, ["new"])
      assert.deepStrictEqual(yield* store.list, [])
    })
  )

  it.effect("a change that is interrupted after it was decided is saved all the same", () =>
    Effect.gen(function* () {
      const saving = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      let saved = false
      const store = yield* make({
        read: () => Effect.succeedNone,
        withRecord: (_, use) =>
          use(Option.none(), () =>
            Effect.gen(function* () {
              yield* Deferred.succeed(saving, undefined)
              yield* Deferred.await(release)
              saved = true
            })
          ),
        list: Effect.succeed([])
      })
      const fiber = yield* Effect.forkChild(store.modify(own, () => Effect.succeed([1, Option.some(secret)])))
      yield* Deferred.await(saving)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(interruption)
      assert.isTrue(saved)
    })
  )
})

const replace = (file: string, put: (file: string) => void): void => {
  renameSync(file, `${file}.was`)
  put(file)
}

const valid = (file: string): string => readFileSync(file, "utf8")

/** Kills a process that writes for ever, some milliseconds after it started to. */
const floodAndKill = (directory: string, milliseconds: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [fixture, directory, own.server, "flood"], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    child.stdout.on("data", () => {
      const waitForFirst = setInterval(() => {
        if (!existsSync(directory) || !readdirSync(directory).some((name) => name.endsWith(".json"))) return
        clearInterval(waitForFirst)
        setTimeout(() => child.kill("SIGKILL"), milliseconds)
      }, 2)
    })
    child.once("close", () => resume(Effect.void))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** What a process prints. */
const run = (
  command: string,
  args: ReadonlyArray<string>,
  account: { readonly uid?: number; readonly gid?: number } = {}
) =>
  Effect.callback<{ readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = spawn(command, args, { ...account, stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => (stdout += String(chunk)))
    child.stderr.on("data", (chunk) => (stderr += String(chunk)))
    child.on("close", () => resume(Effect.succeed({ stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
