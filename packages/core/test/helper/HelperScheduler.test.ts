import { spawn } from "node:child_process"
import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import { CONCURRENCY } from "@letterhead/core/helper/HelperRunner"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import { denying, eventually, failure, gate, headers, logged, permit, run, runner } from "./runnerFixture.ts"

const JSON_OUTPUT = '{"Authorization":"Bearer t"}'

const PARSED = { Authorization: "Bearer t" }

const of = (fixture: HelperFixture.HelperFixture, options: Partial<Parameters<typeof entry>[0]> = {}) =>
  entry({ directory: fixture.directory, helper: { command: fixture.command }, ...options })

const ELSEWHERE = "https://elsewhere.example.com/mcp"

/** Approves every entry but one that sends to another place. */
const unlessElsewhere = (server: ServerEntry) =>
  server.endpoint.type === "http" && server.endpoint.url.source === ELSEWHERE
    ? Effect.flatMap(TrustGate, ({ require }) => require(server)).pipe(Effect.provide(denying))
    : Effect.succeed(permit)

const started = (fixture: HelperFixture.HelperFixture, runs = 1) =>
  eventually(Effect.map(fixture.runs, (count) => count >= runs))

const gone = (fixture: HelperFixture.HelperFixture) =>
  eventually(Effect.map(fixture.alive, (pids) => pids.length === 0))

/** Servers that connect together in F28. */
const SERVERS = 500

/** Milliseconds for a test of many processes, on a loaded machine too. */
const MANY_TIMEOUT = 240_000

describe("HelperRunner: sharing", () => {
  it.live("F25: 100 fibers that need headers at once share one run", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ delay: 100, tokens: {} })
      const target = of(fixture)
      const all = yield* Effect.all(
        Array.from({ length: 100 }, () => headers(target)),
        { concurrency: "unbounded" }
      )
      expect(new Set(all.map((one) => one["Authorization"]))).toEqual(new Set(["Bearer token-1"]))
      expect(yield* fixture.runs).toBe(1)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F25: 100 fibers share one failure", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", delay: 100, exitCode: 3 })
      const target = of(fixture)
      const all = yield* Effect.all(
        Array.from({ length: 100 }, () => failure(target)),
        { concurrency: "unbounded" }
      )
      expect(new Set(all.map((one) => one._tag))).toEqual(new Set(["ExitedWith"]))
      expect(yield* fixture.runs).toBe(1)
    }).pipe(Effect.provide(runner()))
  )

  it.live("runs again for a caller that comes after the answer", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ tokens: {} })
      expect(yield* headers(of(fixture))).toEqual({ Authorization: "Bearer token-1" })
      expect(yield* headers(of(fixture))).toEqual({ Authorization: "Bearer token-2" })
    }).pipe(Effect.provide(runner()))
  )

  it.live("entries that tell the helper something else do not share a run", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ delay: 100, reports: true })
      const tenants = ["a", "b"]
      const all = yield* Effect.forEach(
        tenants,
        (tenant) => headers(of(fixture, { helper: { command: fixture.command, environment: { TENANT: tenant } } })),
        { concurrency: "unbounded" }
      )
      const told = all.map((one): unknown => JSON.parse(Buffer.from(one["X-Env"] ?? "", "base64").toString()))
      expect(told).toMatchObject(tenants.map((tenant) => ({ TENANT: tenant })))
    }).pipe(Effect.provide(runner()))
  )

  it.live("F33: an entry that differs from an approved one in its URL alone does not get the answer of its run", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ delay: 200, stdout: JSON_OUTPUT })
      const approved = yield* Effect.forkChild(headers(of(fixture)))
      expect(yield* started(fixture)).toBe(true)
      expect((yield* failure(of(fixture, { url: ELSEWHERE })))._tag).toBe("NotTrusted")
      expect(yield* Fiber.join(approved)).toEqual(PARSED)
    }).pipe(Effect.provide(runner({ gate: gate(unlessElsewhere) })))
  )

  it.live("F26: interrupting the first caller does not stop the run for the others", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ delay: 400, stdout: JSON_OUTPUT })
      const first = yield* Effect.forkChild(headers(of(fixture)))
      expect(yield* started(fixture)).toBe(true)
      const second = yield* Effect.forkChild(headers(of(fixture)))
      yield* Effect.sleep(20)
      yield* Fiber.interrupt(first)
      expect(yield* Fiber.join(second)).toEqual(PARSED)
      expect(yield* fixture.runs).toBe(1)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F26: a run that nobody waits for any more ends, and the next caller gets one of its own", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ hangs: true, ignoresTerm: true })
      const both = yield* Effect.forEach([1, 2], () => Effect.forkChild(headers(of(fixture))))
      expect(yield* started(fixture)).toBe(true)
      yield* Fiber.interruptAll(both)
      yield* fixture.become({ stdout: JSON_OUTPUT })
      expect(yield* headers(of(fixture))).toEqual(PARSED)
      expect(yield* fixture.runs).toBe(2)
      expect(yield* gone(fixture)).toBe(true)
    }).pipe(Effect.provide(runner()))
  )

  it.live("leaves no process behind when its layer is closed during a run", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ hangs: true, ignoresTerm: true })
      yield* Effect.provide(
        Effect.gen(function* () {
          yield* Effect.forkChild(headers(of(fixture)))
          expect(yield* started(fixture)).toBe(true)
        }),
        runner(),
        { local: true }
      )
      expect(yield* gone(fixture)).toBe(true)
    }).pipe(Effect.provide(runner()))
  )

  it.live(
    "F28: of 500 servers that connect together, four helpers run at once, each with its own timeout",
    () =>
      Effect.gen(function* () {
        const first = yield* HelperFixture.make({ language: "shell", delay: 50, stdout: JSON_OUTPUT })
        const targets = Array.from({ length: SERVERS }, (_, index) =>
          // 125 rounds of 50 ms at least: the last would time out if its time began before its start.
          of(first, { name: `server-${index}`, helper: { command: first.command, timeout: 3_000 } })
        )
        const all = yield* Effect.forEach(targets, (target) => headers(target), { concurrency: "unbounded" })
        expect(all).toHaveLength(SERVERS)
        expect(yield* first.runs).toBe(SERVERS)
        expect(yield* first.peak).toBe(CONCURRENCY)
      }).pipe(Effect.provide(runner())),
    MANY_TIMEOUT
  )

  it.live("F30: a helper whose parent is killed ends by itself and leaves no file", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const fixture = yield* HelperFixture.make({ delay: 700, stdout: JSON_OUTPUT })
      const temporary = yield* fs.makeTempDirectoryScoped()
      const target = entry({ scope: "remote", helper: { command: fixture.command } })
      const program = `
        import * as Effect from "effect/Effect"
        import { headers, runner } from ${JSON.stringify(new URL("runnerFixture.ts", import.meta.url).pathname)}
        import { entry } from "@letterhead/testing/EntryFixture"
        const target = entry({ scope: "remote", helper: { command: ${JSON.stringify(target.helper?.command)} } })
        await Effect.runPromise(Effect.provide(headers(target), runner()))
      `
      const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
        cwd: import.meta.dirname,
        env: { ...process.env, TMPDIR: temporary },
        stdio: "ignore"
      })
      expect(yield* started(fixture)).toBe(true)
      const exited = once(parent, "exit")
      parent.kill("SIGKILL")
      yield* Effect.promise(() => exited)
      expect(yield* gone(fixture)).toBe(true)
      const left = yield* fs.readDirectory(temporary, { recursive: true })
      for (const name of left) expect((yield* fs.stat(`${temporary}/${name}`)).type).toBe("Directory")
    }).pipe(Effect.provide(runner()))
  )
})

describe("HelperRunner: time", () => {
  it.effect("F27: a helper that failed is not started again within a second, then two, then four", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 3 })
      const target = of(fixture)
      const runsAfter = (milliseconds: number) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(milliseconds)
          expect((yield* failure(target))._tag).toBe("ExitedWith")
          return yield* fixture.runs
        })
      expect(yield* runsAfter(0)).toBe(1)
      expect(yield* runsAfter(999)).toBe(1)
      expect(yield* runsAfter(202)).toBe(2)
      expect(yield* runsAfter(1_999)).toBe(2)
      expect(yield* runsAfter(402)).toBe(3)
      expect(yield* runsAfter(3_999)).toBe(3)
      for (let count = 4; count < 9; count++) expect(yield* runsAfter(30_001)).toBe(count)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("F27: callers within the window get the same error at once", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 3 })
      const errors = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.flip(run(of(fixture))))
      expect(new Set(errors).size).toBe(1)
      expect(yield* fixture.runs).toBe(1)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("an explicit run does not wait for the window, and success forgets the failures", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 3 })
      const target = of(fixture)
      yield* failure(target)
      yield* failure(target, { explicit: true })
      expect(yield* fixture.runs).toBe(2)
      yield* fixture.become({ language: "shell", stdout: JSON_OUTPUT })
      expect(yield* headers(target, { explicit: true })).toEqual(PARSED)
      expect(yield* headers(target)).toEqual(PARSED)
      yield* fixture.become({ language: "shell", exitCode: 3 })
      yield* failure(target)
      yield* TestClock.adjust(1_201)
      yield* failure(target)
      expect(yield* fixture.runs).toBe(6)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("a corrected command does not wait for the failures of the broken one", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", stdout: JSON_OUTPUT })
      expect((yield* failure(entry({ helper: { command: ["/nonexistent"] } })))._tag).toBe("NotFound")
      expect(yield* headers(of(fixture))).toEqual(PARSED)
    }).pipe(Effect.provide(runner()))
  )

  it.live("runs again as often as `retry` says, with a growing delay", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 3 })
      const retrying = (times: number, name: string) =>
        of(fixture, { name, helper: { command: fixture.command, retry: { times, delay: 20 } } })
      yield* failure(retrying(0, "none"))
      expect(yield* fixture.runs).toBe(1)
      yield* failure(retrying(2, "two"))
      expect(yield* fixture.runs).toBe(4)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("F23: output that had expired is used once, with a warning, and not asked for again within a second", () =>
    Effect.gen(function* () {
      const stdout = '{"headers":{"Authorization":["Bearer canary-51"]},"expires":"1969-12-31T23:59:59Z"}'
      const fixture = yield* HelperFixture.make({ language: "shell", stdout })
      const { lines, value } = yield* logged(run(of(fixture)))
      expect(value.expired).toBe(true)
      expect(lines.filter((line) => line.startsWith("Warn"))).toHaveLength(1)
      expect(lines.join("\n")).not.toContain("canary")
      const second = yield* Effect.forkChild(run(of(fixture)))
      yield* TestClock.adjust(990)
      expect(yield* fixture.runs).toBe(1)
      yield* TestClock.adjust(20)
      yield* Fiber.join(second)
      expect(yield* fixture.runs).toBe(2)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("F24: a wall clock set back by an hour does not lengthen the wait after a failure", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 3 })
      yield* TestClock.adjust("2 hours")
      yield* failure(of(fixture))
      yield* TestClock.setTime(60 * 60_000)
      yield* TestClock.adjust(1_201)
      yield* failure(of(fixture))
      expect(yield* fixture.runs).toBe(2)
    }).pipe(Effect.provide(runner()))
  )
})
