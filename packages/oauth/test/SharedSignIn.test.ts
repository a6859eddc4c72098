/** One sign-in that many processes share: faults F64 and F65. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { layerFile } from "@letterhead/core/secrets/SecretStore"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer, open, send, signedEntry } from "./support/Signing.ts"
import * as TokenServer from "./support/TokenServer.ts"

const fixture = join(import.meta.dirname, "refresh.fixture.ts")
const PROCESSES = 16
/** Milliseconds that they make calls for; in that time a token expires again and again. */
const DURATION = Number(process.env["LETTERHEAD_REFRESH_MILLISECONDS"] ?? 60_000)
/** Seconds. */
const LIFETIME = 1

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-oauth-")))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

const program = (directory: string) =>
  layer({ store: Layer.provide(layerFile({ directory }), NodeServices.layer), signIn: layerNever })

const signIn = (directory: string, url: string) =>
  Effect.flatMap(open(signedEntry(url)), (connection) => connection.signIn(local)).pipe(
    Effect.scoped,
    Effect.provide(layer({ store: Layer.provide(layerFile({ directory }), NodeServices.layer) }), { local: true })
  )

/** What a process prints to its end. */
const run = (directory: string, url: string, what: string) =>
  Effect.callback<string>((resume) => {
    let output = ""
    const child = spawn(process.execPath, [fixture, directory, url, what], { stdio: ["ignore", "pipe", "inherit"] })
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("close", () => resume(Effect.succeed(output)))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** A process that holds the lock of the sign-in; `kill` ends it as a power cut would. */
const holder = (directory: string, url: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly kill: () => void }>((resume) => {
      const child = spawn(process.execPath, [fixture, directory, url, "hold"], { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", () => resume(Effect.succeed({ kill: () => void child.kill("SIGKILL") })))
    }),
    ({ kill }) => Effect.sync(kill)
  )

describe("a sign-in that many processes share", () => {
  it.live(
    `F64: ${PROCESSES} processes refresh one rotating token: none is used twice, one request at a time, nobody is signed out`,
    () =>
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "credentials")
        const server = yield* TokenServer.make({ expiresIn: LIFETIME, delay: 30 })
        yield* signIn(directory, server.url)
        const outputs = yield* Effect.forEach(
          Array.from({ length: PROCESSES }),
          () => run(directory, server.url, String(DURATION)),
          { concurrency: "unbounded" }
        )
        const outcomes = outputs.map((output): Readonly<Record<string, number>> => JSON.parse(output))
        assert.strictEqual(server.counts.reuses, 0)
        assert.strictEqual(server.counts.mostInFlight, 1)
        assert.isAbove(server.counts.refreshes, 2, "it expired in the meantime")
        for (const outcome of outcomes) {
          assert.isAbove(outcome["200"] ?? 0, 0)
          // With tokens that live for a second, one may expire on its way, and so may its successor: the caller's 401.
          assert.deepStrictEqual(
            Object.keys(outcome).filter((key) => key !== "200" && key !== "401"),
            []
          )
        }
      }),
    DURATION + 110_000
  )

  it.live(
    "F65: the lock of a holder that was killed is taken over, and a token that lives is used meanwhile",
    () =>
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "credentials")
        const server = yield* TokenServer.make({ expiresIn: 30 })
        yield* signIn(directory, server.url)
        yield* Effect.gen(function* () {
          const connection = yield* open(signedEntry(server.url))
          assert.strictEqual(yield* send(connection), 200)
          const { kill } = yield* holder(directory, server.url)
          kill()
          // Refused by the server: nobody has a token that it takes, and the successor has to be waited for.
          server.expireAccess()
          const started = performance.now()
          assert.strictEqual(yield* send(connection), 200)
          assert.isBelow(performance.now() - started, 10_000, "taken over within ten seconds")
          assert.strictEqual(server.counts.reuses, 0)
        }).pipe(Effect.scoped, Effect.provide(program(directory), { local: true }))
      }),
    60_000
  )

  it.live(
    "F65: who has a token that lives does not wait for a lock that is held",
    () =>
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "credentials")
        const server = yield* TokenServer.make({ expiresIn: 20 })
        yield* signIn(directory, server.url)
        yield* Effect.gen(function* () {
          const connection = yield* open(signedEntry(server.url))
          assert.strictEqual(yield* send(connection), 200)
          // Due two seconds before its end; until then, and while somebody else has the lock, it is used.
          const end = Date.now() + 18_500
          const { kill } = yield* holder(directory, server.url)
          while (Date.now() < end) {
            assert.strictEqual(yield* send(connection), 200)
            yield* Effect.sleep(250)
          }
          assert.strictEqual(server.counts.refreshes, 0)
          kill()
          yield* Effect.sync(() => server.counts.refreshes).pipe(
            Effect.filterOrFail((refreshes) => refreshes === 1),
            Effect.retry({ schedule: Schedule.spaced(50), times: 400 }),
            Effect.orDie
          )
          assert.strictEqual(yield* send(connection), 200)
        }).pipe(Effect.scoped, Effect.provide(program(directory), { local: true }))
      }),
    90_000
  )
})
