/** What the Promise face rejects with. */
import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Errors from "../../src/promise/LetterheadError.ts"
import { CANARY, folder, clientOf, rejection } from "./Client.ts"

describe("its errors", () => {
  const cases: ReadonlyArray<{
    readonly title: string
    readonly class: typeof Errors.LetterheadError
    readonly code: Errors.LetterheadErrorCode
    readonly entry: Readonly<Record<string, unknown>>
    readonly refuse?: number
  }> = [
    { title: "a 401", class: Errors.RefusedError, code: "Unauthorized", entry: { auth: "none" }, refuse: 401 },
    {
      title: "a 401 where one could sign in",
      class: Errors.RefusedError,
      code: "SignInRequired",
      entry: {},
      refuse: 401
    },
    { title: "a 403", class: Errors.RefusedError, code: "Forbidden", entry: {}, refuse: 403 },
    { title: "a 500", class: Errors.ServerError, code: "HttpFailed", entry: {}, refuse: 500 },
    {
      title: "a server that is not there",
      class: Errors.UnreachableError,
      code: "Unreachable",
      entry: { url: "http://127.0.0.1:9/mcp" }
    },
    {
      title: "a helper that fails",
      class: Errors.HeaderSourceError,
      code: "ExitedWith",
      entry: { headersHelper: { command: ["sh", "-c", "exit 3"] } }
    },
    {
      title: "an entry that is not one",
      class: Errors.ConfigurationError,
      code: "ServerSkipped",
      entry: { url: "not a URL" }
    }
  ]
  for (const { title, class: Class, code, entry, refuse } of cases) {
    it.live(`${title}: ${code}`, () =>
      Effect.gen(function* () {
        const server = yield* LoopbackServer.make({
          era: "modern",
          ...(refuse === undefined ? {} : { accept: () => refuse })
        })
        const letterhead = yield* clientOf({ url: server.url, headers: { "X-Key": CANARY }, ...entry })
        const error = yield* rejection(() => letterhead.connect("api"))
        assert.instanceOf(error, Class)
        assert.strictEqual(error.code, code)
        assert.notInclude(`${error.message} ${error.stack} ${JSON.stringify(error)}`, CANARY)
      })
    )
  }

  it.live("an unknown server is named, with those that there are", () =>
    Effect.gen(function* () {
      const letterhead = yield* clientOf({ url: "http://127.0.0.1:9/mcp" })
      const error = yield* rejection(() => letterhead.connect("nobody"))
      assert.instanceOf(error, Errors.ConfigurationError)
      assert.strictEqual(error.code, "ServerUnknown")
      assert.include(error.message, "api")
    })
  )

  it.live("what a project's file would run is not run before a person approved it", () =>
    Effect.gen(function* () {
      const home = yield* folder
      writeFileSync(
        join(home, ".mcp.json"),
        JSON.stringify({
          mcpServers: { api: { url: "http://127.0.0.1:9/mcp", headersHelper: { command: ["touch", "ran"] } } }
        })
      )
      const letterhead = yield* clientOf({}, { config: join(home, ".mcp.json") })
      const error = yield* rejection(() => letterhead.connect("api"))
      assert.instanceOf(error, Errors.NotTrustedError)
      assert.strictEqual(error.code, "NotTrusted")
      assert.isFalse(existsSync(join(home, "ran")))
    })
  )

  it.live("a call in time, and one that is not answered: CallTimedOut", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const letterhead = yield* clientOf({ url: server.url })
      const connection = yield* Effect.promise(() => letterhead.connect("api"))
      const error = yield* rejection(() => connection.callTool("slow", { ms: 30_000 }, { timeout: 100 }))
      assert.instanceOf(error, Errors.UnreachableError)
      assert.strictEqual(error.code, "CallTimedOut")
    })
  )
})
