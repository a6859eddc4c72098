/** The files that an approval covers, and those that no approval is given for; faults F35 and F37. */
import { chmodSync, chownSync, renameSync, rmSync, symlinkSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, NotFound, TrustRefused } from "@letterhead/core/headers/HeaderError"
import type { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { FILE_LIMIT } from "@letterhead/core/trust/CoveredFiles"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { execute, temporaryDirectory, write } from "./Workspace.ts"
import { repository, subjectOf, project, array, within } from "./Repository.ts"

const refusalOf = (of: ServerEntry, environment?: Environment) =>
  Effect.map(Effect.flip(subjectOf(of, environment)), (error) => {
    assert(error instanceof HeaderError)
    assert(error.reason instanceof TrustRefused, error.message)
    return error.reason
  })

describe("covered files", () => {
  const commands: ReadonlyArray<
    readonly [what: string, command: string | ReadonlyArray<string>, covered: ReadonlyArray<string>]
  > = [
    ["the program itself", ["./scripts/headers.sh"], ["scripts/headers.sh"]],
    ["an argument", array, ["scripts/headers.js"]],
    ["an argument without a separator", ["node", "letterhead.json"], ["letterhead.json"]],
    [
      "a value after =",
      ["node", "--import=./lib/auth.js", "scripts/headers.js"],
      ["lib/auth.js", "scripts/headers.js"]
    ],
    ["a shell string within an argument", ["sh", "-c", "exec node ./scripts/headers.js"], ["scripts/headers.js"]],
    ["a word of a shell string", "node ./scripts/headers.js", ["scripts/headers.js"]],
    ["a quoted word", "node './scripts/headers.js' \"lib/auth.js\"", ["lib/auth.js", "scripts/headers.js"]],
    ["a word of a substitution", "cat $(cat ./lib/auth.js)|sh", ["lib/auth.js"]],
    ["a word after an operator", "true&&./scripts/headers.sh;true", ["scripts/headers.sh"]],
    ["an assignment", "NODE_PATH=./lib/auth.js node scripts/headers.js", ["lib/auth.js", "scripts/headers.js"]],
    ["a path with ..", ["node", "./lib/../scripts/headers.js"], ["scripts/headers.js"]],
    ["no folder", ["node", "./scripts"], []],
    ["no file outside the workspace", ["cat", "/etc/hostname"], []]
  ]
  for (const [what, command, covered] of commands) {
    it.live(`covers ${what}`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        const subject = yield* subjectOf(project(directory, { helper: { command } }))
        assert.deepStrictEqual(within(directory, subject), covered)
      })
    )
  }

  it.live("covers a quoted path with a blank", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      write(directory, { "my scripts/headers.js": "1" })
      for (const command of [
        "node 'my scripts/headers.js'",
        "node my\\ scripts/headers.js",
        'node my" "scripts/headers.js'
      ]) {
        const subject = yield* subjectOf(project(directory, { helper: { command } }))
        assert.include(within(directory, subject), "my scripts/headers.js")
      }
    })
  )

  it.live("covers hook modules and what a stdio server runs", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const subject = yield* subjectOf(
        project(directory, {
          stdio: { command: "node", args: array.slice(1), env: { API_KEY: "canary-key" } },
          hooks: [join(directory, "hooks/session.js")]
        })
      )
      assert.deepStrictEqual(within(directory, subject), ["hooks/session.js", "scripts/headers.js"])
      assert.include(JSON.stringify(subject.lines), `${process.execPath} ./scripts/headers.js`)
      assert.notInclude(JSON.stringify(subject), "canary-key")
    })
  )

  it.live("a file that appears under a word of the command is covered from then on", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const of = project(directory, { helper: { command: ["node", "./scripts/later.js"] } })
      const before = yield* subjectOf(of)
      assert.deepStrictEqual(before.files, [])
      write(directory, { "scripts/later.js": "1" })
      const after = yield* subjectOf(of)
      assert.notStrictEqual(after.digest, before.digest)
      assert.deepStrictEqual(TrustSubject.difference(before, after), [
        `+ covered file: ${join(directory, "scripts/later.js")}`
      ])
    })
  )

  it.live("refuses a shell string that names no file of the workspace and lists none", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const command = "cd scripts && node headers.js"
      assert.match((yield* refusalOf(project(directory, { helper: { command } }))).rule, /"files"/)
      yield* subjectOf(project(directory, { helper: { command, files: [] } }))
    })
  )

  it.live("refuses a listed file and a hook that do not exist", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const missing = join(directory, "missing.js")
      for (const options of [{ helper: { command: array, files: ["missing.js"] } }, { hooks: [missing] }]) {
        const refusal = yield* refusalOf(project(directory, options))
        assert.strictEqual(refusal.path, missing)
        assert.match(refusal.rule, /does not exist/)
      }
    })
  )

  it.live("refuses a covered file that is too large", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      truncateSync(join(directory, "scripts/headers.js"), FILE_LIMIT + 1)
      assert.match(
        (yield* refusalOf(project(directory, { helper: { command: array } }))).rule,
        /larger than 33554432 bytes/
      )
    })
  )
})

describe("F37", () => {
  const script = "scripts/headers.js"
  const states: ReadonlyArray<readonly [state: string, make: (file: string) => void, says: RegExp]> = [
    ["writable by its group", (file) => chmodSync(file, 0o664), /chmod go-w/],
    ["writable by everybody", (file) => chmodSync(file, 0o646), /chmod go-w/],
    [
      "a symbolic link",
      (file) => {
        renameSync(file, `${file}.real`)
        symlinkSync(`${file}.real`, file)
      },
      /symbolic link/
    ],
    [
      "a FIFO",
      (file) => {
        rmSync(file)
        execute("mkfifo", [file])
      },
      /not a regular file/
    ],
    ...(process.getuid?.() === 0
      ? ([["of another user (needs root)", (file: string) => chownSync(file, 65_534, 65_534), /another user/]] as const)
      : [])
  ]
  for (const [state, make, says] of states) {
    for (const [what, name] of [
      ["a covered script", script],
      ["a configuration", "letterhead.json"]
    ] as const) {
      it.live(`F37: ${what} that is ${state} is refused with the reason`, () =>
        Effect.gen(function* () {
          const directory = yield* repository
          make(join(directory, name))
          const refusal = yield* refusalOf(project(directory, { helper: { command: array } }))
          assert.strictEqual(refusal.path, join(directory, name))
          assert.match(refusal.rule, says)
        })
      )
    }
  }

  it.live("F37: a program of the workspace is judged as a covered script is", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      chmodSync(join(directory, "scripts/headers.sh"), 0o777)
      assert.match(
        (yield* refusalOf(project(directory, { helper: { command: ["./scripts/headers.sh"] } }))).rule,
        /chmod go-w/
      )
    })
  )
})

describe("F35", () => {
  it.live("F35: a name is looked up in absolute entries of the runtime's PATH only", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      write(directory, { "bin/letterhead-test-tool": "#!/bin/sh", "letterhead-test-tool": "#!/bin/sh" })
      const of = project(directory, {
        helper: { command: ["letterhead-test-tool"], environment: { PATH: join(directory, "bin") } }
      })
      const cwd = process.cwd()
      yield* Effect.acquireRelease(
        Effect.sync(() => process.chdir(directory)),
        () => Effect.sync(() => process.chdir(cwd))
      )
      for (const PATH of [".", "", "bin", ":", "./bin:/usr/bin", "/usr/bin:"]) {
        const error = yield* Effect.flip(subjectOf(of, { PATH }))
        assert(error.reason instanceof NotFound, error.message)
      }
      const found = yield* subjectOf(of, { PATH: `.:${join(directory, "bin")}` })
      assert.deepStrictEqual(within(directory, found), ["bin/letterhead-test-tool"])
    })
  )

  it.live("F35: the absolute program is part of the digest", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const [one, two] = [yield* temporaryDirectory, yield* temporaryDirectory]
      for (const folder of [one, two]) write(folder, { tool: "#!/bin/sh" })
      const of = project(directory, { helper: { command: ["tool"] } })
      const before = yield* subjectOf(of, { PATH: one })
      const after = yield* subjectOf(of, { PATH: two })
      assert.notStrictEqual(after.digest, before.digest)
      assert.include(JSON.stringify(after.lines), join(two, "tool"))
    })
  )

  it.live("F35: a relative path of a configuration that lies in no folder is refused", () =>
    Effect.gen(function* () {
      assert.match((yield* refusalOf(entry({ scope: "remote", helper: { command: ["./tool"] } }))).rule, /absolutely/)
    })
  )
})
