/** Helpers that need an approval, and what nobody approved is kept from. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { FileChanged, HeaderError } from "@letterhead/core/headers/HeaderError"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import { denying, errorOf, failure, gate, headers, logged, permit, run, runner } from "./runnerFixture.ts"

const JSON_OUTPUT = '{"Authorization":"Bearer t"}'

const PARSED = { Authorization: "Bearer t" }

const of = (fixture: HelperFixture.HelperFixture, options: Partial<Parameters<typeof entry>[0]> = {}) =>
  entry({ directory: fixture.directory, helper: { command: fixture.command }, ...options })

describe("HelperRunner: trust", () => {
  it.effect("F31: a helper that nobody approved is not started, and no window follows the refusal", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", stdout: JSON_OUTPUT })
      const target = of(fixture, { scope: "project" })
      expect((yield* failure(target))._tag).toBe("NotTrusted")
      expect((yield* failure(target))._tag).toBe("NotTrusted")
      expect(yield* fixture.runs).toBe(0)
    }).pipe(Effect.provide(runner({ gate: denying })))
  )

  it.live(
    "the gate is asked for each run, and covered files are verified after the exit and before the output is used",
    () => {
      const order: Array<string> = []
      const changed = new HeaderError({ reason: new FileChanged({ path: "/helper" }) })
      return Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language: "shell", stdout: JSON_OUTPUT })
        const watching = gate(() =>
          Effect.as(
            Effect.map(fixture.runs, (runs) => order.push(`require after ${runs}`)),
            {
              ...permit,
              verify: Effect.flatMap(fixture.runs, (runs) => {
                order.push(`verify after ${runs}`)
                return runs === 1 ? Effect.void : Effect.fail(changed)
              })
            }
          )
        )
        const target = of(fixture, { scope: "project" })
        yield* Effect.provide(
          Effect.gen(function* () {
            expect(yield* headers(target)).toEqual(PARSED)
            expect((yield* failure(target))._tag).toBe("FileChanged")
          }),
          runner({ gate: watching }),
          { local: true }
        )
        expect(order).toEqual(["require after 0", "verify after 1", "require after 1", "verify after 2"])
      }).pipe(Effect.provide(runner()))
    }
  )

  it.live(
    "F50: a canary in output, standard error, arguments of failure and environment is in no log and no error",
    () =>
      Effect.gen(function* () {
        const canary = "canary-7f3a9c41d8"
        const stderr = `Authorization: Bearer ${canary}\ntoken=${canary}\n${canary}\nrefused by the server\n`
        const behaviours = [
          { stdout: `{"Authorization":"Bearer ${canary}"}`, stderr },
          { stdout: `{"Authorization":"Bearer ${canary}"}`, stderr, exitCode: 3 },
          { stdout: `{"Authorization":"Bearer ${canary}`, stderr },
          { stdout: `{"Authorization":"Bearer ${canary}\\n"}`, stderr },
          { stdout: `{"Host":"${canary}"}`, stderr },
          { stdout: `{"a b ${canary}":"${canary}"}`, stderr },
          { stdout: canary, stderr, signal: "SIGSEGV" },
          { stdout: canary, stderr, hangs: true },
          { stdout: canary, stderr, flood: Infinity }
        ] as const
        for (const [index, behaviour] of behaviours.entries()) {
          const fixture = yield* HelperFixture.make({ ...behaviour, language: "shell" })
          const target = of(fixture, {
            name: `case-${index}`,
            helper: { command: fixture.command, timeout: 500, environment: { GIVEN: "${CANARY}" } }
          })
          const { lines, value } = yield* logged(Effect.exit(run(target)))
          const error = errorOf(value)
          const text = [...lines, String(error), error?.stack, JSON.stringify(error), JSON.stringify(value)].join("\n")
          expect(text).not.toContain("canary")
          expect(text).toContain("refused by the server")
          expect(Exit.isSuccess(value)).toBe(index === 0)
        }
      }).pipe(Effect.provide(runner({ environment: { CANARY: "canary-7f3a9c41d8" } })))
  )
})
