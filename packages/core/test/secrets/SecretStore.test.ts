/** The stores against their laws, and the file store against real files, processes and a full disk. */
import { spawn } from "node:child_process"
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { QUARANTINED } from "@letterhead/core/secrets/SecretFolder"
import { layerMemory, make, UNSAVED } from "@letterhead/core/secrets/SecretStore"
import { CANARY, key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { temporaryDirectory } from "../trust/Workspace.ts"
import { own, secret, layerIn, inStore, valueIn, storeWithSecret, logged } from "./SecretFiles.ts"

const fixture = join(import.meta.dirname, "keep.fixture.ts")

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
