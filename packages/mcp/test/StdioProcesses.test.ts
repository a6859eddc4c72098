import { assert, describe, it } from "@effect/vitest"
import { HeaderError, NotTrusted } from "@letterhead/core/headers/HeaderError"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as TrustGates from "@letterhead/core/trust/TrustGate"
import * as TrustStore from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { LINE_COUNT_LIMIT } from "@letterhead/mcp/stdio/StdioDiagnostics"
import { type Program, StdioPrograms } from "@letterhead/mcp/stdio/StdioPrograms"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import { Environment } from "@letterhead/core/server/Environment"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { until } from "./support/Harness.ts"
import { entryOf, logged, programs } from "./support/Stdio.ts"

const start = (entry: ServerEntry) => Effect.flatMap(StdioPrograms, (service) => service.start(entry))

/** The error of a program that was not started. */
const refusal = (entry: ServerEntry) =>
  Effect.flatMap(Effect.flip(Effect.scoped(start(entry))), ({ message, reason }) =>
    reason._tag === "ProgramNotStarted"
      ? Effect.succeed({ message, reason: reason.error.reason })
      : Effect.die(new Error(`not started for another reason: ${reason._tag}`))
  )

/** An entry whose program prints its variables and its working directory as JSON. */
const reporting = (options: Omit<EntryFixture.EntryOptions, "stdio">, env: Readonly<Record<string, string>> = {}) =>
  EntryFixture.entry({
    ...options,
    stdio: {
      command: process.execPath,
      args: ["-e", "console.log(JSON.stringify([process.env, process.cwd()]))"],
      env
    }
  })

const report = Effect.fnUntraced(function* (entry: ServerEntry) {
  const program = yield* start(entry)
  const text = yield* Stream.mkString(Stream.decodeText(program.output))
  const [variables, directory]: [Record<string, string>, string] = JSON.parse(text)
  return { variables, directory }
})

const ended = (program: Program) => Effect.map(program.ended, ({ ending }) => ending)

describe("trust", () => {
  const denying = Layer.succeed(TrustGate, {
    require: (entry) =>
      Effect.fail(
        new HeaderError({
          server: entry.name,
          reason: new NotTrusted({
            server: entry.name,
            configuration: entry.origin.source,
            digest: "sha256:0",
            subject: ["server runs: node server.mjs"],
            changes: []
          })
        })
      )
  })

  it.live("F31: a program that nobody approved is not started, and no variable is read for it", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { message, reason } = yield* refusal(entryOf(fixture, { scope: "project", env: { A: "${NOT_SET}" } }))
      assert.strictEqual(reason._tag, "NotTrusted")
      assert.include(message, "letterhead trust approve example")
      assert.strictEqual(yield* fixture.starts, 0)
    }).pipe(Effect.provide(programs({ gate: denying })))
  )

  it.live("F32: an approved program whose script changed is not started until it is approved again", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const entry = entryOf(fixture, { scope: "project", workspace: fixture.directory })
      yield* (yield* FileSystem.FileSystem).writeFileString(entry.origin.source, "{}")
      const store = yield* TrustStore.TrustStore
      const approve = Effect.flatMap(TrustSubject.make(entry), (subject) => store.approve(subject))

      assert.strictEqual((yield* refusal(entry)).reason._tag, "NotTrusted")
      yield* approve
      yield* Effect.scoped(start(entry))
      yield* fixture.become({ stderr: "changed\n" })
      const { message, reason } = yield* refusal(entry)
      assert.strictEqual(reason._tag, "NotTrusted")
      assert.include(message, "changed since it was approved")
      assert.include(message, "server.mjs")
      yield* approve
      yield* Effect.scoped(start(entry))
    }).pipe(
      Effect.provide(
        Layer.unwrap(
          Effect.succeed(programs({ gate: Layer.orDie(TrustGates.layer).pipe(Layer.provide(services)) }))
        ).pipe(Layer.provideMerge(services))
      )
    )
  )

  const services = Layer.provideMerge(TrustStore.layerMemory, NodeServices.layer)

  it.live("F36: an entry of a project may not set what decides which code runs; one of the person's own may", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      for (const name of ["PATH", "LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV"]) {
        const { message, reason } = yield* refusal(entryOf(fixture, { scope: "project", env: { [name]: "/tmp/x" } }))
        assert.strictEqual(reason._tag, "TrustRefused")
        assert.include(message, name)
      }
      assert.strictEqual(yield* fixture.starts, 0)
      const { variables } = yield* report(reporting({}, { NODE_OPTIONS: "--no-warnings" }))
      assert.strictEqual(variables["NODE_OPTIONS"], "--no-warnings")
    }).pipe(Effect.provide(programs()))
  )
})

describe("what a program is given", () => {
  const environment = { GITHUB_TOKEN: "inherited-canary", PLAIN: "plain", TENANT: "acme" }

  it.live("the person's own gets all variables, and runs in the folder of its configuration", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { directory, variables } = yield* report(
        reporting({ directory: fixture.directory }, { WHO: "${TENANT}-x", LEVEL: "${NOT_SET:-debug}" })
      )
      assert.include(variables, { ...environment, WHO: "acme-x", LEVEL: "debug" })
      assert.strictEqual(directory, fixture.directory)
    }).pipe(Effect.provide(programs({ environment })))
  )

  it.live("F42: a project's or a remote one gets no credential of the person's, but what its entry names", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      for (const scope of ["project", "remote"] as const) {
        const options = scope === "project" ? { scope, directory: fixture.directory } : { scope }
        const { directory, variables } = yield* report(reporting(options, { API_KEY: "${GITHUB_TOKEN}" }))
        assert.include(variables, { PLAIN: "plain", API_KEY: "inherited-canary" })
        assert.notProperty(variables, "GITHUB_TOKEN")
        if (scope === "remote") assert.notStrictEqual(directory, process.cwd())
      }
    }).pipe(Effect.provide(programs({ environment })))
  )

  it.live("F42: the approval may let it have one", () =>
    Effect.gen(function* () {
      const { variables } = yield* report(reporting({ scope: "project" }))
      assert.strictEqual(variables["GITHUB_TOKEN"], "inherited-canary")
    }).pipe(
      Effect.provide(
        programs({
          environment,
          gate: Layer.succeed(TrustGate, {
            require: () => Effect.succeed({ passEnv: ["GITHUB_TOKEN"], verify: Effect.void })
          })
        })
      )
    )
  )

  it.live("F79: a variable that is not set is named, and nothing is started", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { message, reason } = yield* refusal(entryOf(fixture, { env: { A: "${NOT_SET_HERE}" } }))
      assert.strictEqual(reason._tag, "VariableMissing")
      assert.include(message, "NOT_SET_HERE")
      assert.strictEqual(yield* fixture.starts, 0)
    }).pipe(Effect.provide(programs({ environment })))
  )
})

describe("starting", () => {
  it.live("processes, environment and trust are those of the layer, whatever the caller has", () =>
    Effect.gen(function* () {
      const { variables } = yield* report(reporting({}))
      assert.strictEqual(variables["PLAIN"], "the layer's")
    }).pipe(
      Effect.provideService(
        ChildProcessSpawner,
        makeSpawner(() => Effect.die(new Error("not this one")))
      ),
      Effect.provideService(TrustGate, { require: () => Effect.die(new Error("not this one")) }),
      Effect.provideService(Environment, { PLAIN: "the caller's" }),
      Effect.provide(programs({ environment: { PLAIN: "the layer's" } }))
    )
  )

  const commands = [
    { command: "no-such-program-here", tag: "NotFound" },
    { command: "/no/such/program", tag: "NotFound" },
    { command: "/etc/passwd", tag: "NotExecutable" },
    { command: "", tag: "NotFound" }
  ] as const

  for (const { command, tag } of commands) {
    it.live(`F18: the command "${command}" is ${tag}`, () =>
      Effect.gen(function* () {
        const { message, reason } = yield* refusal(EntryFixture.entry({ stdio: { command } }))
        assert.strictEqual(reason._tag, tag)
        assert.notInclude(message, "helper")
      }).pipe(Effect.provide(programs()))
    )
  }

  it.live("F35: a program is looked up in absolute entries of the runtime's own PATH", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${fixture.directory}/planted`, "#!/bin/sh\n")
      yield* fs.chmod(`${fixture.directory}/planted`, 0o755)
      const entry = EntryFixture.entry({ directory: fixture.directory, stdio: { command: "planted" } })
      assert.strictEqual((yield* refusal(entry)).reason._tag, "NotFound")
    }).pipe(Effect.provide(programs({ environment: { PATH: `.::${process.env["PATH"] ?? ""}` } })))
  )
})

describe("what a program says on standard error", () => {
  const SECRET = "hunter-canary-7f3a"

  it.live("F50: is logged at debug level line by line, and no secret of it is shown anywhere", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({
        exits: 1,
        stderr: `listening now\ntoken is ${SECRET} indeed\nPassword: opensesame\nGET https://x.example/?k=${SECRET}\n`
      })
      const { value, lines } = yield* logged(
        Effect.scoped(
          Effect.flatMap(start(entryOf(fixture, { env: { VALUE: "${CANARY}" } })), (program) => program.ended)
        )
      )
      const log = lines.join("\n")
      assert.include(log, 'DEBUG server "example" says: listening now'.replace("DEBUG", "Debug"))
      assert.include(value.message, "listening now")
      for (const text of [log, value.message, JSON.stringify(value)]) {
        assert.notInclude(text, SECRET)
        assert.notInclude(text, "canary")
        assert.notInclude(text, "opensesame")
      }
    }).pipe(Effect.provide(programs({ environment: { CANARY: SECRET } })))
  )

  it.live("F6: a flood of it is drained, and neither log nor error grow with it", () =>
    Effect.gen(function* () {
      const entry = EntryFixture.entry({
        stdio: {
          command: process.execPath,
          args: ["-e", 'process.stderr.write("some words here\\n".repeat(600_000), () => process.exit(4))']
        }
      })
      const { value, lines } = yield* logged(Effect.scoped(Effect.flatMap(start(entry), (program) => program.ended)))
      assert.strictEqual(value.code, 4)
      assert.isAtMost(lines.length, LINE_COUNT_LIMIT + 1)
      assert.include(lines.at(-1), "the others are not shown")
      assert.isBelow(value.message.length, 1_000)
    }).pipe(Effect.provide(programs()))
  )

  it.live("F42: the error of a project's program that ended names the variables it did not get", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ exits: 1 })
      const { message } = yield* Effect.scoped(
        Effect.flatMap(start(entryOf(fixture, { scope: "project" })), (program) => program.ended)
      )
      assert.include(message, "GITHUB_TOKEN")
      assert.include(message, "letterhead trust approve example --pass-env NAME")
    }).pipe(Effect.provide(programs({ environment: { GITHUB_TOKEN: "x" } })))
  )
})

describe("the end of a program", () => {
  it.live("it has time to end by itself once its standard input is closed", () =>
    Effect.gen(function* () {
      const entry = EntryFixture.entry({
        stdio: {
          command: process.execPath,
          args: ["-e", 'process.stdin.resume().on("end", () => setTimeout(() => process.exit(42), 300))']
        }
      })
      const program = yield* Effect.scoped(Effect.delay(start(entry), 1).pipe(Effect.tap(() => Effect.sleep(300))))
      assert.strictEqual(yield* ended(program), "exited with code 42")
    }).pipe(Effect.provide(programs()))
  )

  it.live("F2: one that goes on after the end of its standard input and after SIGTERM is killed", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ stubborn: true })
      const program = yield* Effect.scoped(
        Effect.tap(start(entryOf(fixture)), () => until(Effect.map(fixture.alive, (pids) => pids.length === 1)))
      )
      assert.strictEqual(yield* ended(program), "was killed by SIGKILL")
      assert.deepStrictEqual(yield* fixture.alive, [])
    }).pipe(Effect.provide(programs()))
  )

  it.live("F3: a descendant in its group does not outlive it", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ leavesChild: true })
      yield* Effect.scoped(
        Effect.tap(start(entryOf(fixture)), () => until(Effect.map(fixture.alive, (pids) => pids.length === 2)))
      )
      yield* until(Effect.map(fixture.alive, (pids) => pids.length === 0))
    }).pipe(Effect.provide(programs()))
  )

  it.live("F3: a descendant that holds the streams of a program that exited does not delay the news of it", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ leavesChild: true, exits: 0 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const program = yield* start(entryOf(fixture))
          assert.strictEqual(yield* ended(program), "exited with code 0")
          assert.strictEqual((yield* fixture.alive).length, 1)
        })
      )
      yield* until(Effect.map(fixture.alive, (pids) => pids.length === 0))
    }).pipe(Effect.provide(programs()))
  )

  it.live("F20: one that reads nothing holds back whoever writes, and is ended all the same", () =>
    Effect.gen(function* () {
      const entry = EntryFixture.entry({
        stdio: { command: process.execPath, args: ["-e", "setInterval(() => {}, 1000)"] }
      })
      const written = yield* Effect.scoped(
        Effect.gen(function* () {
          const program = yield* start(entry)
          const write = Effect.timeoutOption(program.write("x".repeat(64 * 1024)), 200)
          return yield* Effect.forEach(Array.from({ length: 200 }), () => write, { concurrency: "unbounded" })
        })
      )
      assert.isTrue(written.some(({ _tag }) => _tag === "None"))
    }).pipe(Effect.provide(programs()))
  )

  it.live("F20: what is written to one that closed its standard input is not taken", () =>
    Effect.gen(function* () {
      const entry = EntryFixture.entry({ stdio: { command: process.execPath, args: ["-e", "process.exit(0)"] } })
      const program = yield* start(entry)
      yield* program.ended
      yield* until(Effect.map(program.write("x"), (taken) => !taken))
    }).pipe(Effect.provide(programs()))
  )
})
