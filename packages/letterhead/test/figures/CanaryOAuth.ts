/** A person who signs in at a server whose authorization server repeats everything, and what that lets out. */
import { assert } from "@effect/vitest"
import { type CallContext, withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { OAuthLimits } from "@letterhead/oauth/http/OAuthFetch"
import { BrowserLauncher } from "@letterhead/oauth/signin/BrowserLauncher"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import type * as Letterhead from "letterhead/Letterhead"
import { CALL, HEADER, expectNothing, outcome, scene } from "./Canary.ts"
import * as CanaryAuthorizationServer from "./CanaryAuthorizationServer.ts"

/** Milliseconds for an authorization server that is silent. */
const PATIENCE = 2_000

export const stage = Effect.gen(function* () {
  const made = yield* scene
  const server = yield* CanaryAuthorizationServer.make
  const credentials = join(made.folder, "credentials")
  // It goes where it is sent, and shows what is there at the end.
  const browser = Layer.succeed(BrowserLauncher, {
    open: (address) =>
      Effect.promise(async () => {
        const answer = await fetch(address)
        made.evidence.keepOutput("the page in the browser", await answer.text())
      })
  })
  const target = (options: EntryOptions = {}) =>
    entry({ directory: made.folder, url: server.url, headers: { "X-Static": HEADER }, ...options })

  /** Connects and makes one call, in a program of its own; how that ended. */
  const run = (what: string, layer: Letterhead.Options, call: CallContext = CALL) =>
    Effect.gen(function* () {
      const connection = yield* (yield* McpTransport).connect("example", call)
      return yield* withCall(connection.callTool("echo", {}, { timeout: 20_000 }), call)
    }).pipe(
      Effect.scoped,
      Effect.provide(made.layerWith(layer), { local: true }),
      Effect.provideService(OAuthLimits, { milliseconds: PATIENCE, bytes: 1_048_576 }),
      (program) => made.evidence.observe(what, program),
      Effect.map(outcome)
    )
  const use = (what: string, options: EntryOptions = {}) =>
    run(what, { servers: [target(options)], signIn: Layer.provide(BrowserSignIn.layer, browser) })
  const stored = (): ReadonlyArray<string> =>
    existsSync(credentials) ? [credentials, ...readdirSync(credentials).map((name) => join(credentials, name))] : []

  return {
    ...made,
    server,
    credentials,
    target,
    run,
    /** With a person who signs in. */
    use,
    /** Where nobody is there to sign in. */
    alone: (what: string, options: EntryOptions = {}) => run(what, { servers: [target(options)] }),
    /** Signs in afresh at a server that works. */
    signIn: (options: EntryOptions = {}) =>
      Effect.suspend(() => {
        rmSync(credentials, { recursive: true, force: true })
        Object.assign(server.settings, CanaryAuthorizationServer.WELL)
        return Effect.map(use("a sign-in", options), (said) => assert.strictEqual(said, "Success"))
      }),
    /** What is kept, its owner alone can read; nothing of it is anywhere else. */
    expectKept: Effect.gen(function* () {
      for (const found of readdirSync(made.folder, { withFileTypes: true })) {
        if (found.isDirectory() && found.name !== "credentials") {
          yield* made.evidence.keepFiles(join(made.folder, found.name))
        }
      }
      for (const file of stored()) assert.strictEqual(statSync(file).mode & 0o077, 0, file)
      const secrets = [...server.secrets.values()].flatMap((each) => [...each])
      assert.isAbove(secrets.length, 2)
      expectNothing(made.evidence, secrets)
    })
  }
})
