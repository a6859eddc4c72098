/** The lock across processes, with real files and a holder that is killed. */
import { spawn } from "node:child_process"
import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import * as FileLock from "@letterhead/core/storage/FileLock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { temporaryDirectory } from "../trust/Workspace.ts"

const locks = (directory: string) => readdirSync(directory).filter((name) => name.includes(".lock."))

/** Takes the lock, says so, and holds it for ever. */
const HOLDER = `
  import * as NodeServices from "@effect/platform-node/NodeServices"
  import { withLock } from "@letterhead/core/storage/FileLock"
  import * as Effect from "effect/Effect"
  const held = Effect.andThen(Effect.sync(() => process.stdout.write("held")), Effect.never)
  await Effect.runPromise(withLock(process.argv[1], () => held).pipe(Effect.provide(NodeServices.layer)))
`

const holder = (file: string) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const child = spawn(process.execPath, ["--input-type=module", "--eval", HOLDER, file], {
        cwd: join(import.meta.dirname, "../.."),
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

layer(NodeServices.layer, { excludeTestServices: true })("withLock", (it) => {
  it.effect("one at a time holds the lock, and nothing is left of it", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      let inside = 0
      let most = 0
      let runs = 0
      yield* Effect.forEach(
        Array.from({ length: 30 }),
        () =>
          FileLock.withLock(join(directory, "file"), (lock) =>
            Effect.gen(function* () {
              inside += 1
              most = Math.max(most, inside)
              yield* Effect.sleep(1)
              yield* lock.verify
              inside -= 1
              runs += 1
            })
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([most, runs], [1, 30])
      assert.deepStrictEqual(locks(directory), [])
    })
  )

  it.effect("a failure and an interruption give the lock back", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "file")
      assert.strictEqual(yield* Effect.flip(FileLock.withLock(file, () => Effect.fail("failed"))), "failed")
      const fiber = yield* Effect.forkChild(FileLock.withLock(file, () => Effect.never))
      yield* Effect.sleep(50)
      assert.lengthOf(locks(directory), 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(locks(directory), [])
    })
  )

  it.effect("one who waits can be interrupted, and leaves nothing", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "file")
      writeFileSync(join(directory, "file.lock.other"), "")
      const waiter = yield* Effect.forkChild(FileLock.withLock(file, () => Effect.void))
      yield* Effect.sleep(100)
      yield* Fiber.interrupt(waiter)
      assert.deepStrictEqual(locks(directory), ["file.lock.other"])
    })
  )

  it.effect("a holder whose lock was taken away learns it before it changes anything", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "file")
      const error = yield* Effect.flip(
        FileLock.withLock(file, (lock) =>
          Effect.suspend(() => {
            for (const name of locks(directory)) rmSync(join(directory, name))
            return lock.verify
          })
        )
      )
      assert.include(error.message, file)
    })
  )

  it.effect("F65: the lock of a holder that was killed is taken over within 10 s, that of one that lives is not", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const dead = join(directory, "dead")
      const alive = join(directory, "alive")
      const child = yield* holder(dead)
      yield* holder(alive)
      child.kill("SIGKILL")
      assert.lengthOf(locks(directory), 2)
      const waiter = yield* Effect.forkChild(FileLock.withLock(alive, () => Effect.void))
      yield* FileLock.withLock(dead, (lock) => lock.verify).pipe(Effect.timeout(10_000))
      // Longer than a lock without a sign of life is left alone.
      yield* Effect.sleep(FileLock.STALE_AFTER / 2)
      assert.deepStrictEqual(
        locks(directory).map((name) => name.slice(0, 5)),
        ["alive"]
      )
      assert.isUndefined(waiter.pollUnsafe())
      yield* Fiber.interrupt(waiter)
    })
  )
})
