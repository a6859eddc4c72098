import { spawn, spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as HelperRunner from "@letterhead/core/helper/HelperRunner"
import * as HelperScheduler from "@letterhead/core/helper/HelperScheduler"
import { Environment } from "@letterhead/core/server/Environment"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ChildProcesses from "letterhead/ChildProcesses"

const services = HelperScheduler.layer.pipe(
  Layer.provideMerge(ChildProcesses.layer),
  Layer.provideMerge(NodeServices.layer),
  Layer.provideMerge(Layer.succeed(TrustGate, { require: () => Effect.succeed({ passEnv: [], verify: Effect.void }) })),
  Layer.provideMerge(Layer.succeed(Environment, { PATH: process.env["PATH"] }))
)

const descriptors = Effect.sync(() => readdirSync("/proc/self/fd").length)

it.live("F4: our ends of the pipes are closed although a process that the helper left behind keeps its own", () =>
  Effect.gen(function* () {
    const fixture = yield* HelperFixture.make({ language: "shell", leaves: "session", stdout: '{"X-A":"b"}' })
    const before = yield* descriptors
    const runner = yield* HelperRunner.HelperRunner
    for (let run = 0; run < 5; run++) {
      const target = entry({ name: `s-${run}`, directory: fixture.directory, helper: { command: fixture.command } })
      const output = yield* target.helper === undefined ? Effect.die("no helper") : runner.run(target.helper, target)
      assert.strictEqual(output.headers.length, 1)
    }
    let after = yield* descriptors
    for (let wait = 0; wait < 200 && after > before; wait++) {
      yield* Effect.sleep(20)
      after = yield* descriptors
    }
    assert.isAtMost(after, before)
    assert.strictEqual((yield* fixture.alive).length, 5)
  }).pipe(Effect.provide(services))
)

it.live("reads all of what a process prints, as the spawner beneath does", () =>
  Effect.gen(function* () {
    const child = yield* ChildProcess.make("/bin/sh", ["-c", "head -c 300000 /dev/zero"], { stdin: "ignore" })
    const bytes = yield* Stream.runFold(
      child.stdout,
      () => 0,
      (total, chunk) => total + chunk.length
    )
    assert.strictEqual(bytes, 300_000)
    assert.strictEqual(yield* child.exitCode, 0)
  }).pipe(Effect.provide(services))
)

it.live("adds as much to a process where there are many of it as where there is one", () =>
  Effect.gen(function* () {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const counts: Array<number> = []
    for (const layers of [1, 20]) {
      const scope = yield* Scope.make()
      for (let layer = 0; layer < layers; layer++) {
        const beneath = Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, spawner)
        yield* Layer.buildWithScope(Layer.provide(Layer.fresh(ChildProcesses.layer), beneath), scope)
      }
      const child = spawn("/bin/true", { stdio: "ignore" })
      counts.push(child.listenerCount("close"))
      yield* Scope.close(scope, Exit.void)
    }
    assert.deepStrictEqual(counts, [1, 1])
    assert.strictEqual(spawn("/bin/true", { stdio: "ignore" }).listenerCount("close"), 0)
  }).pipe(Effect.provide(NodeServices.layer))
)

it("F4: the program exits although a process that a helper left behind still runs", () => {
  const program = `
    import * as NodeServices from "@effect/platform-node/NodeServices"
    import * as Effect from "effect/Effect"
    import * as ChildProcess from "effect/process/ChildProcess"
    import * as ChildProcesses from "letterhead/ChildProcesses"
    import * as Layer from "effect/Layer"
    const run = Effect.scoped(Effect.gen(function* () {
      const child = yield* ChildProcess.make("/bin/sh", ["-c", "setsid sleep 20 & echo $!"], { stdin: "ignore", forceKillAfter: 250 })
      yield* child.exitCode
    }))
    await Effect.runPromise(Effect.provide(run, Layer.provide(ChildProcesses.layer, NodeServices.layer)))
  `
  const { status, error } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
    timeout: 15_000
  })
  assert.isUndefined(error)
  assert.strictEqual(status, 0)
})
