/** What a subject covers, shows and refuses, with real files. */
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync } from "node:fs"
import { dirname, join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, NotFound, TrustRefused } from "@letterhead/core/headers/HeaderError"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { FILE_LIMIT } from "@letterhead/core/trust/CoveredFiles"
import * as TrustGate from "@letterhead/core/trust/TrustGate"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { execute, temporaryDirectory, write } from "./Workspace.ts"

const NODE_PATH = `${dirname(process.execPath)}:/usr/bin:/bin`

/** A repository with a configuration, a script and a module. */
const repository = Effect.map(temporaryDirectory, (directory) => {
  write(directory, {
    "letterhead.json": "{}",
    "scripts/headers.js": "console.log('{}')",
    "scripts/headers.sh": "#!/bin/sh\necho '{}'",
    "lib/auth.js": "export {}",
    "hooks/session.js": "export default {}"
  })
  return directory
})

const subjectOf = (of: ServerEntry, environment: Environment = { PATH: NODE_PATH }) =>
  TrustSubject.make(of).pipe(Effect.provideService(Environment, environment), Effect.provide(NodeServices.layer))

const refusalOf = (of: ServerEntry, environment?: Environment) =>
  Effect.map(Effect.flip(subjectOf(of, environment)), (error) => {
    assert(error instanceof HeaderError)
    assert(error.reason instanceof TrustRefused, error.message)
    return error.reason
  })

const project = (directory: string, options: EntryOptions = {}): ServerEntry =>
  entry({ scope: "project", directory, workspace: directory, ...options })

const array = ["node", "./scripts/headers.js"]
const within = (directory: string, subject: TrustSubject.TrustSubject) =>
  subject.files.map((file) => file.path.slice(directory.length + 1))

describe("needsTrust", () => {
  const needs: ReadonlyArray<readonly [what: string, options: EntryOptions, needed: boolean]> = [
    ["only literal headers", { headers: { "X-A": "b" } }, false],
    ["a helper", { helper: { command: array } }, true],
    ["a hook", { hooks: ["/hooks/a.js"] }, true],
    ["a program of its own", { stdio: { command: "node" } }, true],
    ["a variable in a header", { headers: { "X-A": "${HOME_SECRET}" } }, true],
    ["a variable with a default in a header", { headers: { "X-A": "${HOME_SECRET:-none}" } }, true],
    ["a file in a header", { headers: { "X-A": "{file:~/.netrc}" } }, true],
    ["a variable in the URL", { url: "https://mcp.example.com/${USER}" }, true],
    ["a stored credential", { credentials: [{ name: "KEY", headerName: "X-Key" }] }, true],
    ["an incoming header", { passthrough: [{ name: "x-user-token" }] }, true]
  ]
  for (const [what, options, needed] of needs) {
    it(`an entry of a project or a remote configuration with ${what} ${needed ? "needs" : "does not need"} approval`, () => {
      for (const scope of ["project", "remote"] as const) {
        assert.strictEqual(TrustGate.needsTrust(entry({ scope, ...options })), needed)
      }
    })
    it(`the person's and the administrator's own entries with ${what} need none`, () => {
      for (const scope of ["user", "managed"] as const) {
        assert.isFalse(TrustGate.needsTrust(entry({ scope, ...options })))
      }
    })
  }
})

describe("digest", () => {
  const base: EntryOptions = {
    url: "https://mcp.example.com/mcp?tenant=a",
    helper: {
      command: array,
      environment: { PROFILE: "prod", API_TOKEN: "one" },
      timeout: 5_000,
      passEnv: ["HTTPS_PROXY"],
      files: ["./lib/auth.js"]
    },
    headers: { "X-A": "one ${A}" },
    credentials: [{ name: "KEY", headerName: "X-Key", valuePrefix: "k-", default: "none" }],
    passthrough: [{ name: "x-user", as: "X-User" }],
    hooks: []
  }
  const field = { name: "KEY", headerName: "X-Key", valuePrefix: "k-", default: "none" }
  const command = { ...base.helper, command: array }
  const variations: ReadonlyArray<readonly [what: string, options: EntryOptions]> = [
    ["F32: an argument", { helper: { ...command, command: [...array, "--prod"] } }],
    ["F32: where one argument ends", { helper: { ...command, command: ["node", "./scripts/headers.js", "a b"] } }],
    ["F32: the program", { helper: { ...command, command: ["sh", "./scripts/headers.js"] } }],
    ["F32: an array as a shell string", { helper: { ...command, command: "node ./scripts/headers.js" } }],
    ["F32: the value of a variable", { helper: { ...command, environment: { PROFILE: "dev", API_TOKEN: "one" } } }],
    [
      "F32: the masked value of a variable",
      { helper: { ...command, environment: { PROFILE: "prod", API_TOKEN: "2" } } }
    ],
    ["F32: the name of a variable", { helper: { ...command, environment: { PROFILES: "prod", API_TOKEN: "one" } } }],
    ["passEnv", { helper: { ...command, passEnv: ["HTTPS_PROXY", "NPM_TOKEN"] } }],
    ["the timeout", { helper: { ...command, timeout: 5_001 } }],
    ["the retries", { helper: { ...command, retry: { times: 1, delay: 200 } } }],
    ["the delay of retries", { helper: { ...command, retry: { times: 0, delay: 201 } } }],
    ["cache", { helper: { ...command, cache: "expires" } }],
    ["cache in seconds", { helper: { ...command, cache: 60 } }],
    ["onFailure", { helper: { ...command, onFailure: "static" } }],
    ["files", { helper: { ...command, files: [] } }],
    ["F33: the host of the URL", { url: "https://mcp.example.net/mcp?tenant=a" }],
    ["F33: a masked part of the URL", { url: "https://mcp.example.com/mcp?tenant=b" }],
    ["the transport", { transport: "sse" }],
    ["the name of a header", { headers: { "X-B": "one ${A}" } }],
    ["F81: the variable of a header", { headers: { "X-A": "one ${HOME_SECRET}" } }],
    ["the masked text of a header", { headers: { "X-A": "two ${A}" } }],
    ["another header", { headers: { "X-A": "one ${A}", "X-B": "two" } }],
    ["F81: another stored credential", { credentials: [{ ...field, name: "OTHER_KEY" }] }],
    ["F81: the header of a stored credential", { credentials: [{ ...field, headerName: "X-Other" }] }],
    ["the prefix of a stored credential", { credentials: [{ ...field, valuePrefix: "o-" }] }],
    ["the default of a stored credential", { credentials: [{ ...field, default: "other" }] }],
    ["F81: another incoming header", { passthrough: [{ name: "x-user-token", as: "X-User" }] }],
    ["F81: the name that an incoming header is sent under", { passthrough: [{ name: "x-user", as: "X-Other" }] }],
    ["that an incoming header is a credential", { passthrough: [{ name: "x-user", as: "X-User", credential: true }] }],
    ["that an incoming header overrides", { passthrough: [{ name: "x-user", as: "X-User", override: true }] }],
    ["an incoming header for a stored credential", { credentials: [], passthrough: [{ name: "KEY", as: "X-Key" }] }],
    ["the server's name", { name: "other" }]
  ]
  for (const [what, options] of variations) {
    it.live(`${what} makes another digest, and the difference says something`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        const before = yield* subjectOf(project(directory, base))
        const after = yield* subjectOf(project(directory, { ...base, ...options }))
        assert.match(after.digest, /^sha256:[0-9a-f]{64}$/)
        assert.notStrictEqual(after.digest, before.digest)
        assert.isNotEmpty(TrustSubject.difference(before, after))
      })
    )
  }

  const files: ReadonlyArray<readonly [what: string, file: string]> = [
    ["a script that an argument names", "scripts/headers.js"],
    ["a file that `files` names", "lib/auth.js"]
  ]
  for (const [what, file] of files) {
    it.live(`F32: one byte of ${what} makes another digest`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        const before = yield* subjectOf(project(directory, base))
        write(directory, { [file]: "exporu {}" })
        const after = yield* subjectOf(project(directory, base))
        assert.notStrictEqual(after.digest, before.digest)
        assert.deepStrictEqual(TrustSubject.difference(before, after), [
          `~ covered file changed: ${join(directory, file)}`
        ])
      })
    )
  }

  for (const [command, file] of [
    ["./headers", "headers.js"],
    ["./headers", "headers.mjs"],
    ["./lib", "lib/index.js"],
    ["./lib/", "lib/package.json"]
  ] as const) {
    it.live(`F32: one byte of ${file}, which an interpreter may find under "${command}", makes another digest`, () =>
      Effect.gen(function* () {
        const directory = yield* repository
        for (const words of [["node", command], `node ${command}`]) {
          const of = project(directory, { helper: { command: words } })
          write(directory, { [file]: "1" })
          const before = yield* subjectOf(of)
          assert.deepStrictEqual(within(directory, before), [file])
          write(directory, { [file]: "2" })
          assert.notStrictEqual((yield* subjectOf(of)).digest, before.digest)
        }
      })
    )
  }

  it.live("F32: the working directory makes another digest", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      write(directory, { "letterhead.json": "{}", "below/scripts/headers.js": "console.log('{}')" })
      const absolute = { command: ["node", join(directory, "scripts/headers.js")] }
      const source = join(directory, "letterhead.json")
      const before = yield* subjectOf(project(directory, { helper: absolute, source }))
      const after = yield* subjectOf(
        entry({ scope: "project", source, directory: join(directory, "below"), workspace: directory, helper: absolute })
      )
      assert.notStrictEqual(after.digest, before.digest)
    })
  )

  it.live("the scope makes another digest", () =>
    Effect.gen(function* () {
      const options: EntryOptions = { source: "https://example.com/a.json", headers: { "X-A": "${A}" } }
      const remote = yield* subjectOf(entry({ ...options, scope: "remote" }))
      const other = yield* subjectOf(entry({ ...options, scope: "project" }))
      assert.notStrictEqual(remote.digest, other.digest)
    })
  )

  it.live("two checkouts of one repository have one digest", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* repository, yield* repository]
      assert.strictEqual((yield* subjectOf(project(one, base))).digest, (yield* subjectOf(project(two, base))).digest)
    })
  )

  it.live("the order in which variables are written is not part of it", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const one = yield* subjectOf(project(directory, { helper: { command: array, environment: { A: "1", B: "2" } } }))
      const two = yield* subjectOf(project(directory, { helper: { command: array, environment: { B: "2", A: "1" } } }))
      assert.strictEqual(one.digest, two.digest)
    })
  )

  it.live("what a variable holds is not part of it", () =>
    Effect.gen(function* () {
      const of = project(yield* repository, { headers: { "X-A": "${A}" } })
      const one = yield* subjectOf(of, { PATH: NODE_PATH, A: "1" })
      const two = yield* subjectOf(of, { PATH: NODE_PATH, A: "2" })
      assert.strictEqual(one.digest, two.digest)
    })
  )
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

describe("lines", () => {
  it.live("show the exact command, and every variable and file that goes out", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      mkdirSync(join(directory, "empty"))
      const subject = yield* subjectOf(
        project(directory, {
          url: "https://me:canary-user@mcp.example.com/${TENANT}?key=canary-query&as=${WHO}",
          helper: {
            command: ["node", "./scripts/headers.js", "two words", "it's"],
            environment: { PROFILE: "prod-${STAGE}", API_TOKEN: "canary-token${MORE:-canary-default}" }
          },
          headers: { Authorization: "Bearer ${HOME_SECRET}", "X-File": "{file:~/.netrc}", "X-Text": "canary-text" }
        })
      )
      const text = TrustSubject.describe(subject).join("\n")
      assert.include(text, `helper runs: ${process.execPath} ./scripts/headers.js 'two words' 'it'\\''s'`)
      assert.include(text, `helper runs in: ${directory}`)
      assert.include(text, "sends to: https://•••@mcp.example.com/${TENANT}?key=•••&as=${WHO}")
      assert.include(text, "helper variable: PROFILE=prod-${STAGE}")
      assert.include(text, "helper variable: API_TOKEN=•••${MORE:-•••}")
      assert.include(text, "header: Authorization: Bearer ${HOME_SECRET}")
      assert.include(text, "header: X-File: {file:~/.netrc}")
      assert.include(text, `covered file: ${join(directory, "scripts/headers.js")}`)
      assert.notInclude(JSON.stringify(subject), "canary")
    })
  )

  it.live("hold nothing that a terminal would take for a command", () =>
    Effect.gen(function* () {
      const directory = yield* repository
      const evil = "a\u001b[2Kb\r\n\u202ec\u200bd\u009be\u2028"
      const subject = yield* subjectOf(
        project(directory, {
          url: `https://mcp.example.com/${evil}`,
          helper: { command: [...array, evil], environment: { A: evil }, passEnv: [evil] },
          headers: { [evil]: "${A}" }
        })
      )
      for (const line of TrustSubject.describe(subject)) {
        assert.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      }
    })
  )
})
