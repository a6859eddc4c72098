/** A client of the Promise face in a folder of its own. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ClientOptions, createLetterhead } from "../../src/promise/LetterheadClient.ts"

export const CANARY = "canary-4711-do-not-show"

export const folder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-promise-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A client for one server, in a home of its own, closed with the test. */
export const clientOf = (entry: Readonly<Record<string, unknown>>, options: ClientOptions = {}) =>
  Effect.gen(function* () {
    const home = yield* folder
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        createLetterhead({
          config: { mcpServers: { api: entry } },
          cwd: home,
          stateDirectory: join(home, "state"),
          credentialsDirectory: join(home, "credentials"),
          credentialStorage: "filesystem",
          environment: { HOME: home, PATH: process.env["PATH"] },
          ...options
        })
      ),
      (client) => Effect.promise(() => client.close())
    )
  })

export const rejection = (promise: () => Promise<unknown>) =>
  Effect.promise(() =>
    promise().then(
      () => assert.fail("it did not reject"),
      (error: unknown) => error
    )
  )
