/** What a subject covers, shows and refuses, with real files. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as TrustGate from "@letterhead/core/trust/TrustGate"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { write } from "./Workspace.ts"
import { NODE_PATH, repository, subjectOf, project, array, within } from "./Repository.ts"

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
