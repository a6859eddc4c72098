import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorsOf, person } from "./support/Command.ts"

describe.concurrent("usage", () => {
  it.live("--version answers with the version and nothing else", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      const ended = yield* run(["--version"])
      expect(ended).toEqual({ code: 0, stdout: expect.stringMatching(/^letterhead \d+\.\d+\.\d+\n$/), stderr: "" })
      expect(yield* run(["-v"])).toEqual(ended)
    })
  )

  it.live("without arguments, and with --help, it lists every verb and ends well", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      const bare = yield* run([])
      expect(bare.code).toBe(0)
      for (const verb of ["demo", "servers", "tools", "call", "headers", "trust", "config"]) {
        expect(bare.stdout).toContain(`\n  ${verb} `)
      }
      expect(yield* run(["--help"])).toEqual(bare)
      const help = yield* run(["call", "--help"])
      expect(help.code).toBe(0)
      expect(help.stdout).toContain("letterhead call [flags] <server> <tool> [<key=value...>]")
    })
  )

  const mistakes: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
    [["serverz"], 'Unknown subcommand "serverz" for "letterhead"; did you mean: servers'],
    [["servers", "--jsn"], "Unrecognized flag: --jsn"],
    [["call"], "Missing required argument: server"],
    [["headers", "a", "b"], 'Unexpected positional argument: "b"'],
    [["trust"], '"letterhead trust" needs a command; see letterhead trust --help'],
    [["headers", "x", "--session"], "Missing value for flag --session"],
    [["servers", "--cwd", "nowhere"], "--cwd nowhere: there is no such folder"],
    [["servers", "--config", "nowhere.json"], "nowhere.json"],
    [["call", "s", "t", "a=b", "--args", "{}"], "not both"]
  ]
  for (const [args, says] of mistakes) {
    it.live(`\`${args.join(" ")}\` is a mistake of usage: code 2, one message, no stack trace`, () =>
      Effect.gen(function* () {
        const { run } = yield* person
        const ended = yield* run(args)
        expect(ended.code).toBe(2)
        expect(ended.stdout).toBe("")
        expect(ended.stderr).toContain(says)
        expect(ended.stderr).not.toMatch(/\n\s+at /)
      })
    )
  }

  it.live("with --json a mistake is one JSON object on standard error", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      const ended = yield* run(["serverz", "--json"])
      expect(ended).toMatchObject({ code: 2, stdout: "" })
      expect(errorsOf(ended)).toEqual([
        {
          error: {
            code: "UsageInvalid",
            message: 'Unknown subcommand "serverz" for "letterhead"; did you mean: servers',
            hint: "See letterhead --help",
            exitCode: 2
          }
        }
      ])
    })
  )

  it.live("--completions prints a script for each shell", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      for (const shell of ["bash", "zsh", "fish"]) {
        const ended = yield* run(["--completions", shell])
        expect(ended.code).toBe(0)
        expect(ended.stdout).toContain("approve")
      }
      expect((yield* run(["--completions", "tcsh"])).code).toBe(2)
    })
  )

  it.live("a relative LETTERHEAD_HOME is refused, since it would mean another folder in each project", () =>
    Effect.gen(function* () {
      const { run } = yield* person
      const ended = yield* run(["servers"], { env: { LETTERHEAD_HOME: "here" } })
      expect(ended.code).toBe(2)
      expect(ended.stderr).toContain("LETTERHEAD_HOME is a relative path")
    })
  )
})
