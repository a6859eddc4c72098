import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { OUTPUT_LIMIT } from "@letterhead/core/helper/HelperOutput"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import { eventually, failure, headers, logged, runner, timed } from "./runnerFixture.ts"

const JSON_OUTPUT = '{"Authorization":"Bearer t"}'
const PARSED = { Authorization: "Bearer t" }

/** Milliseconds that an answer may take beyond the timeout. */
const GRACE = 1_500

const gone = (fixture: HelperFixture.HelperFixture) =>
  eventually(Effect.map(fixture.alive, (pids) => pids.length === 0))

const kilobytes = (field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1])

/** The entry of a fixture. */
const of = (fixture: HelperFixture.HelperFixture, timeout = 5_000) =>
  entry({ directory: fixture.directory, helper: { command: fixture.command, timeout } })

describe("HelperProcess", () => {
  const both = ["node", "shell"] as const

  for (const language of both) {
    it.live(`runs a helper written for ${language}, as an array and as a shell string`, () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language, stdout: JSON_OUTPUT })
        expect(yield* headers(of(fixture))).toEqual(PARSED)
        const shell = entry({ name: "b", helper: { command: `exec ${fixture.shellCommand}` } })
        expect(yield* headers(shell)).toEqual(PARSED)
        expect(yield* fixture.runs).toBe(2)
      }).pipe(Effect.provide(runner()))
    )

    it.live(`F1: a silent ${language} helper that never exits is killed at its timeout`, () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language, hangs: true })
        const { elapsed, value } = yield* timed(failure(of(fixture, 1_000)))
        expect(value).toMatchObject({ _tag: "TimedOut", milliseconds: 1_000 })
        expect(elapsed).toBeGreaterThanOrEqual(990)
        expect(elapsed).toBeLessThan(1_000 + GRACE)
        expect(yield* fixture.runs).toBe(1)
        expect(yield* gone(fixture)).toBe(true)
      }).pipe(Effect.provide(runner()))
    )

    it.live(`F2: a ${language} helper that ignores SIGTERM is killed all the same`, () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language, ignoresTerm: true, hangs: true })
        const { elapsed, value } = yield* timed(failure(of(fixture, 1_000)))
        expect(value._tag).toBe("TimedOut")
        expect(elapsed).toBeLessThan(1_000 + GRACE)
        expect(yield* gone(fixture)).toBe(true)
      }).pipe(Effect.provide(runner()))
    )
  }

  it.live(
    "F3: a grandchild in the group that keeps the pipe open neither delays nor fails the answer, and is killed",
    () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language: "shell", leaves: "group", stdout: JSON_OUTPUT })
        const { elapsed, value } = yield* timed(headers(of(fixture)))
        expect(value).toEqual(PARSED)
        expect(elapsed).toBeLessThan(GRACE)
        expect(yield* gone(fixture)).toBe(true)
      }).pipe(Effect.provide(runner()))
  )

  it.live("F4: a grandchild in a session of its own that keeps the pipe open is reported once and does not delay", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", leaves: "session", stdout: JSON_OUTPUT })
      const { lines, value } = yield* logged(timed(headers(of(fixture))))
      expect(value.value).toEqual(PARSED)
      expect(value.elapsed).toBeLessThan(GRACE)
      expect(lines.filter((line) => line.includes("keeps its output open"))).toHaveLength(1)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F5: a helper that floods stdout is stopped at 64 KiB, in bounded memory", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", flood: Infinity })
      yield* failure(of(fixture))
      const before = kilobytes("VmRSS")
      for (let round = 0; round < 3; round++) {
        const target = entry({
          name: `flood-${round}`,
          directory: fixture.directory,
          helper: { command: fixture.command }
        })
        expect(yield* failure(target)).toMatchObject({ _tag: "OutputTooLarge", bytes: OUTPUT_LIMIT })
      }
      expect(kilobytes("VmRSS") - before).toBeLessThan(16 * 1024)
      expect(yield* gone(fixture)).toBe(true)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F6: 8 MB of standard error are read and forgotten, and the output is used", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ floodError: 8_000_000, stderr: "\nall done\n", stdout: JSON_OUTPUT })
      const { lines, value } = yield* logged(headers(of(fixture, 20_000)))
      expect(value).toEqual(PARSED)
      const shown = lines.filter((line) => line.includes("standard error"))
      expect(shown).toHaveLength(1)
      expect(shown[0]).toContain("last 4096 bytes")
      expect(shown[0]).toContain("all done")
      expect(shown[0]!.length).toBeLessThan(4_096 + 200)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F7: output that drips beyond the timeout is discarded", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ drip: { text: JSON_OUTPUT.repeat(20), every: 20 } })
      const { elapsed, value } = yield* timed(failure(of(fixture, 800)))
      expect(value._tag).toBe("TimedOut")
      expect(elapsed).toBeLessThan(800 + GRACE)
      expect(yield* gone(fixture)).toBe(true)
    }).pipe(Effect.provide(runner()))
  )

  it.live("F8: output of a helper that exits with 3 is not used", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", stdout: JSON_OUTPUT, exitCode: 3 })
      expect(yield* failure(of(fixture))).toMatchObject({ _tag: "ExitedWith", code: 3 })
    }).pipe(Effect.provide(runner()))
  )

  it.live("F9, F10, F13: nothing, nonsense and a name twice are each refused for what they are", () =>
    Effect.gen(function* () {
      const cases = [
        ["", { _tag: "OutputEmpty" }],
        [`Loading\n${JSON_OUTPUT}`, { _tag: "OutputNotJson", offset: 0 }],
        [`${JSON_OUTPUT}\ndone`, { _tag: "OutputNotJson", offset: JSON_OUTPUT.length + 1 }],
        ['{"a":"1","A":"2"}', { _tag: "OutputInvalid", field: "A" }],
        ['{"a":1}', { _tag: "OutputInvalid", field: "a" }],
        ['{"Host":"a"}', { _tag: "HeaderForbidden", field: "Host" }]
      ] as const
      for (const [index, [stdout, expected]] of cases.entries()) {
        const fixture = yield* HelperFixture.make({ language: "shell", stdout })
        const target = entry({ name: `case-${index}`, helper: { command: fixture.command } })
        expect(yield* failure(target)).toMatchObject(expected)
      }
    }).pipe(Effect.provide(runner()))
  )

  it.live("F18: a program that does not exist, is not executable, has no interpreter, or no folder to run in", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const write = (name: string, text: string | Uint8Array, mode: number) =>
        Effect.andThen(
          fs.writeFile(`${directory}/${name}`, typeof text === "string" ? new TextEncoder().encode(text) : text),
          fs.chmod(`${directory}/${name}`, mode)
        )
      yield* write("plain", JSON_OUTPUT, 0o644)
      yield* write("orphan", "#!/nonexistent/interpreter\n", 0o755)
      const cases = [
        [["/nonexistent/helper"], "NotFound"],
        [["no-such-program-anywhere"], "NotFound"],
        [["./missing"], "NotFound"],
        [["./orphan"], "NotFound"],
        [["./plain"], "NotExecutable"],
        [[directory], "NotExecutable"],
        [[""], "NotFound"],
        [[], "NotFound"]
      ] as const
      for (const [index, [command, tag]] of cases.entries()) {
        const target = entry({ name: `case-${index}`, directory, helper: { command } })
        expect([command, (yield* failure(target))._tag]).toEqual([command, tag])
      }
      const nowhere = entry({
        name: "nowhere",
        directory: `${directory}/gone`,
        helper: { command: ["/bin/echo", "{}"] }
      })
      expect(yield* failure(nowhere)).toMatchObject({ _tag: "NotExecutable" })
      expect(
        (yield* failure(entry({ name: "file", directory: `${directory}/plain`, helper: { command: ["sh"] } })))._tag
      ).toBe("NotExecutable")
    }).pipe(Effect.provide(runner()))
  )

  it.live("F18: bytes that no system runs do not count as a helper", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFile(
        `${directory}/noise`,
        Uint8Array.from({ length: 512 }, (_, index) => (index * 7) % 256)
      )
      yield* fs.chmod(`${directory}/noise`, 0o755)
      // The C library hands what the kernel refuses to the shell, so either of the two may say no.
      const reason = yield* failure(entry({ directory, helper: { command: ["./noise"] } }))
      expect(["NotExecutable", "ExitedWith"]).toContain(reason._tag)
    }).pipe(Effect.provide(runner()))
  )

  for (const signal of ["SIGSEGV", "SIGKILL", "SIGABRT"] as const) {
    it.live(`F19: a helper killed by ${signal} is reported with the signal`, () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language: "shell", stdout: JSON_OUTPUT, signal })
        expect(yield* failure(of(fixture))).toMatchObject({ _tag: "KilledBy", signal })
      }).pipe(Effect.provide(runner()))
    )
  }

  it.live("F20, F21: a helper that reads standard input finds it empty; one that never does is none the worse", () =>
    Effect.gen(function* () {
      for (const language of both) {
        const reader = yield* HelperFixture.make({ language, readsInput: true, stdout: JSON_OUTPUT })
        expect(yield* headers(entry({ name: `r-${language}`, helper: { command: reader.command } }))).toEqual(PARSED)
        const other = yield* HelperFixture.make({ language, stdout: JSON_OUTPUT })
        expect(yield* headers(entry({ name: `n-${language}`, helper: { command: other.command } }))).toEqual(PARSED)
      }
    }).pipe(Effect.provide(runner()))
  )

  it.live("F22: a helper that asks the terminal finds none, and the error says so", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ asksTerminal: true })
      const reason = yield* failure(of(fixture, 1_000))
      expect(reason._tag).toBe("TimedOut")
      expect(reason.message).toContain("no terminal")
    }).pipe(Effect.provide(runner()))
  )

  it.live("leaves no descriptor, no process and no folder behind after 100 runs", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const open = Effect.map(fs.readDirectory("/proc/self/fd"), (names) => names.length)
      const command = ["/bin/sh", "-c", `pwd >&2; echo '${JSON_OUTPUT}'`]
      const remote = (index: number) => entry({ name: `e${index % 5}`, scope: "remote", helper: { command } })
      yield* headers(remote(0))
      const before = yield* open
      for (let index = 0; index < 100; index++) expect(yield* headers(remote(index))).toEqual(PARSED)
      expect(yield* eventually(Effect.orDie(Effect.map(open, (after) => after <= before + 2)))).toBe(true)
    }).pipe(Effect.provide(runner()))
  )
})
