import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { isCredentialName } from "@letterhead/core/helper/HelperEnvironment"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import { eventually, failure, gate, headers, permit, runner, variables } from "./runnerFixture.ts"

const AMBIENT = {
  GITHUB_TOKEN: "a",
  API_KEY: "b",
  PGPASSWORD: "c",
  SSH_AUTH_SOCK: "d",
  MY_DSN: "e",
  AWS_CREDENTIALS: "f",
  HTTPS_PROXY: "http://user:pass@proxy:1",
  DATABASE_URL: "postgres://user:pass@db/x",
  NO_PROXY: "localhost",
  AUTHOR: "me",
  KEYBOARD: "us",
  LANG: "C"
}
const WITHHELD = [
  "API_KEY",
  "AWS_CREDENTIALS",
  "DATABASE_URL",
  "GITHUB_TOKEN",
  "HTTPS_PROXY",
  "MY_DSN",
  "PGPASSWORD",
  "SSH_AUTH_SOCK"
]

type Options = NonNullable<Parameters<typeof entry>[0]>

/** The environment that a helper finds, and the folder it runs in. */
const seen = (options: Omit<Options, "helper"> & { readonly helper?: Partial<NonNullable<Options["helper"]>> } = {}) =>
  Effect.gen(function* () {
    const fixture = yield* HelperFixture.make({ reports: true })
    const directory = { directory: options.directory ?? fixture.directory }
    const found = yield* headers(
      entry({ ...directory, ...options, helper: { command: fixture.command, ...options.helper } })
    )
    const environment: Record<string, string | undefined> = JSON.parse(
      Buffer.from(found["X-Env"] ?? "", "base64").toString()
    )
    return { environment, directory: found["X-Cwd"], fixture }
  })

/** With a `PATH` of the test's choosing. */
const path = (PATH: string) => Effect.provide(runner({ environment: { PATH } }), { local: true })

describe("HelperEnvironment", () => {
  it.live("a user's helper inherits everything and runs in the folder of the configuration", () =>
    Effect.gen(function* () {
      const { directory, environment, fixture } = yield* seen({
        name: "linear",
        helper: { environment: { PROFILE: "p-${LANG}" } }
      })
      expect(environment).toMatchObject({ ...AMBIENT, ...variables, PROFILE: "p-C", LETTERHEAD_SERVER_NAME: "linear" })
      expect(environment["CLAUDE_CODE_MCP_SERVER_NAME"]).toBe("linear")
      expect(directory).toBe(fixture.directory)
    }).pipe(Effect.provide(runner({ environment: AMBIENT })))
  )

  it.live("nothing of this process's own environment reaches a helper beside the runtime's record", () =>
    Effect.gen(function* () {
      process.env["LETTERHEAD_TEST_CANARY"] = "x"
      const { environment } = yield* seen()
      delete process.env["LETTERHEAD_TEST_CANARY"]
      expect(Object.hasOwn(environment, "LETTERHEAD_TEST_CANARY")).toBe(false)
    }).pipe(Effect.provide(runner()))
  )

  for (const scope of ["project", "remote"] as const) {
    it.live(`F42: a ${scope} helper does not get ambient credentials`, () =>
      Effect.gen(function* () {
        const { environment } = yield* seen({ scope })
        for (const name of WITHHELD) expect([name, environment[name]]).toEqual([name, undefined])
        expect(environment).toMatchObject({ NO_PROXY: "localhost", AUTHOR: "me", KEYBOARD: "us", LANG: "C" })
      }).pipe(Effect.provide(runner({ environment: AMBIENT })))
    )
  }

  it.live("F42: `passEnv` of the entry and of the approval let one through", () =>
    Effect.gen(function* () {
      const { environment } = yield* seen({ scope: "project", helper: { passEnv: ["HTTPS_PROXY"] } })
      expect(environment).toMatchObject({ HTTPS_PROXY: AMBIENT.HTTPS_PROXY, API_KEY: "b" })
      expect(environment["GITHUB_TOKEN"]).toBeUndefined()
    }).pipe(
      Effect.provide(
        runner({ environment: AMBIENT, gate: gate(() => Effect.succeed({ ...permit, passEnv: ["API_KEY"] })) })
      )
    )
  )

  it.live("F42: the error of a failing project helper names what was withheld, and not the values", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", exitCode: 1 })
      const reason = yield* failure(
        entry({ scope: "project", directory: fixture.directory, helper: { command: fixture.command } })
      )
      expect(reason).toMatchObject({ _tag: "ExitedWith", withheld: WITHHELD })
      expect(reason.message).toContain("--pass-env")
      expect(reason.message).not.toContain("pass@")
      yield* fixture.become({ language: "shell" })
      const empty = entry({
        name: "empty",
        scope: "project",
        directory: fixture.directory,
        helper: { command: fixture.command }
      })
      expect(yield* failure(empty)).toMatchObject({ _tag: "OutputEmpty", withheld: WITHHELD })
      const user = entry({ name: "user", helper: { command: fixture.command } })
      expect(yield* failure(user)).toMatchObject({ _tag: "OutputEmpty", withheld: [] })
    }).pipe(Effect.provide(runner({ environment: AMBIENT })))
  )

  const FORBIDDEN = [
    "PATH",
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "NODE_OPTIONS",
    "BASH_ENV",
    "ENV",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "RUBYOPT",
    "GIT_SSH_COMMAND",
    "Path"
  ]
  for (const scope of ["project", "remote"] as const) {
    it.live(`F36: a ${scope} entry cannot set what decides which code runs, and nothing is started`, () =>
      Effect.gen(function* () {
        const fixture = yield* HelperFixture.make({ language: "shell", stdout: "{}" })
        for (const name of FORBIDDEN) {
          const target = entry({ scope, helper: { command: fixture.command, environment: { [name]: "/evil" } } })
          const reason = yield* failure(target)
          expect([name, reason._tag]).toEqual([name, "TrustRefused"])
          expect(reason.message).toContain(name)
        }
        expect(yield* fixture.runs).toBe(0)
      }).pipe(Effect.provide(runner()))
    )
  }

  it.live("a user's own entry may set them", () =>
    Effect.gen(function* () {
      const { environment } = yield* seen({ helper: { environment: { PYTHONPATH: "/mine" } } })
      expect(environment["PYTHONPATH"]).toBe("/mine")
    }).pipe(Effect.provide(runner()))
  )

  it.live("F35: a program is looked up in absolute entries of the runtime's PATH only", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
      yield* fs.makeDirectory(`${directory}/bin`)
      for (const file of ["tool", "bin/tool"]) {
        yield* fs.writeFileString(`${directory}/${file}`, `#!/bin/sh\necho '{"X-From":"${file}"}'\n`)
        yield* fs.chmod(`${directory}/${file}`, 0o755)
      }
      const tool = (options: Options) => headers(entry({ directory, helper: { command: ["tool"] }, ...options }))
      for (const [index, PATH] of [".", "", ":/nonexistent:", "bin:./bin"].entries()) {
        const target = entry({ name: `case-${index}`, scope: "project", directory, helper: { command: ["tool"] } })
        expect((yield* failure(target).pipe(path(PATH)))._tag).toBe("NotFound")
      }
      expect(yield* tool({}).pipe(path(`.:${directory}/bin`))).toEqual({ "X-From": "bin/tool" })
      expect(yield* tool({ helper: { command: ["./tool"] } }).pipe(path(""))).toEqual({ "X-From": "tool" })
      // What an entry adds decides nothing, even where it is allowed.
      const added = { command: ["tool"], environment: { PATH: directory } }
      expect(yield* tool({ helper: added }).pipe(path(`${directory}/bin:/usr/bin:/bin`))).toEqual({
        "X-From": "bin/tool"
      })
    }).pipe(Effect.provide(runner()))
  )

  it.live(
    "a remote entry's helper runs in an empty private folder, gone afterwards, and cannot be a relative path",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const command = [
          "/bin/sh",
          "-c",
          `printf '{"X-Cwd":"%s","X-Files":"n%s","X-Mode":"%s"}' "$PWD" "$(ls -A | wc -l)" "$(stat -c %a .)"`
        ]
        const found = yield* headers(entry({ scope: "remote", helper: { command } }))
        expect(found).toMatchObject({ "X-Files": "n0", "X-Mode": "700" })
        const left = Effect.orDie(fs.exists(found["X-Cwd"] ?? "/"))
        expect(yield* eventually(Effect.map(left, (exists) => !exists))).toBe(true)
        expect((yield* failure(entry({ scope: "remote", helper: { command: ["./x"] } })))._tag).toBe("TrustRefused")
      }).pipe(Effect.provide(runner()))
  )

  it.live("a helper finds the server's URL without what may be secret in it", () =>
    Effect.gen(function* () {
      const cases = [
        ["https://a.example/mcp", "https://a.example/mcp"],
        [
          "https://u:p@a.example/mcp?key=canary&x&y=#canary",
          "https://REDACTED@a.example/mcp?key=REDACTED&REDACTED&y=REDACTED#REDACTED"
        ],
        ["https://${HOST}/mcp?t=${SECRET}", "https://${HOST}/mcp?t=REDACTED"],
        ["https://a.example/p$$q", "https://a.example/p$q"]
      ] as const
      for (const [index, [url, expected]] of cases.entries()) {
        const { environment } = yield* seen({ name: `case-${index}`, url })
        expect(environment["LETTERHEAD_SERVER_URL"]).toBe(expected)
        expect(environment["CLAUDE_CODE_MCP_SERVER_URL"]).toBe(expected)
      }
    }).pipe(Effect.provide(runner({ environment: { HOST: "h", SECRET: "canary" } })))
  )

  it.effect("a variable that `environment` names and nobody set is an error, and nothing is started", () =>
    Effect.gen(function* () {
      const fixture = yield* HelperFixture.make({ language: "shell", stdout: "{}" })
      const target = entry({ helper: { command: fixture.command, environment: { A: "${UNSET}" } } })
      expect(yield* failure(target)).toMatchObject({ _tag: "VariableMissing", variable: "UNSET" })
      expect(yield* fixture.runs).toBe(0)
    }).pipe(Effect.provide(runner()))
  )

  it.effect("a variable that no system takes is an error that does not show its value", () =>
    Effect.gen(function* () {
      for (const [index, environment] of [{ A: "canary\u0000x" }, { "A\u0000B": "canary" }].entries()) {
        const target = entry({ name: `case-${index}`, helper: { command: ["/bin/echo", "{}"], environment } })
        const reason = yield* failure(target)
        expect(reason._tag).toBe("NotExecutable")
        expect(`${reason.message} ${JSON.stringify(reason)} ${reason.stack}`).not.toContain("canary")
      }
    }).pipe(Effect.provide(runner()))
  )

  it.each([
    "GITHUB_TOKEN",
    "API_KEY",
    "apiKey",
    "npm_config__authToken",
    "KEY2",
    "MY_SECRETS",
    "PGPASSWORD",
    "GH_PAT",
    "SENTRY_DSN"
  ])("%s is a credential's name", (name) => expect(isCredentialName(name)).toBe(true))

  it.each(["PATH", "AUTHOR", "KEYBOARD", "MONKEY", "PATTERN", "HOME", "LANG", "TERM", "PWD", "COMPASS"])(
    "%s is no credential's name",
    (name) => expect(isCredentialName(name)).toBe(false)
  )
})
