/** When somebody is signed in: where a connection is made, and never anywhere else. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SignInFailed, SignInRequired } from "@letterhead/core/headers/HeaderError"
import { Client } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const required = new HeaderError({
  server: "example",
  source: "oauth",
  reason: new SignInRequired({ server: "example", description: "nobody is signed in" })
})
const refused = new HeaderError({ server: "example", reason: new SignInFailed({ description: "the person said no" }) })

/** Nobody has headers until they are signed in, and each sign-in is counted. */
const make = Effect.fnUntraced(function* (outcome: Effect.Effect<boolean, HeaderError> = Effect.succeed(true)) {
  const state = { signedIn: false, attempts: 0 }
  const harness = yield* Harness.make({
    era: "modern",
    resolver: {
      beforeResolve: () => (state.signedIn ? Effect.void : Effect.fail(required)),
      signIn: () =>
        Effect.andThen(
          Effect.sync(() => void state.attempts++),
          // Long enough for others to come.
          Effect.delay(outcome, 50).pipe(Effect.map((signedIn) => void (state.signedIn = signedIn)))
        )
    }
  })
  return { state, harness, connect: harness.transport.connect("example", { principal: "ada" }) }
})

describe("connect", () => {
  it.live("signs in once, also for several who connect at the same time, and connects again", () =>
    Effect.gen(function* () {
      const { connect, harness, state } = yield* make()
      const [first, second] = yield* Effect.all([connect, connect], { concurrency: 2 })
      assert.strictEqual(first, second)
      assert.isAbove((yield* first.listTools.pipe(Harness.asSession("one"))).length, 0)
      assert.strictEqual(state.attempts, 1)
      assert.strictEqual(harness.resolver.opened, 1)
    })
  )

  it.live("fails with what came of signing in, and signs in again when it is asked again", () =>
    Effect.gen(function* () {
      const { connect, harness, state } = yield* make(Effect.fail(refused))
      const reason = yield* Harness.reasonOf(connect)
      assert.isTrue(reason._tag === "HeadersFailed" && reason.error === refused)
      yield* Harness.reasonOf(connect)
      assert.strictEqual(state.attempts, 2)
      assert.deepStrictEqual(yield* harness.server.requests, [])
    })
  )

  it.live("does not sign in twice where that led to nothing", () =>
    Effect.gen(function* () {
      const { connect, state } = yield* make(Effect.succeed(false))
      const reason = yield* Harness.reasonOf(connect)
      assert.isTrue(reason._tag === "HeadersFailed" && reason.error === required)
      assert.strictEqual(state.attempts, 1)
    })
  )

  it.live("fails as it did where no source can sign in", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", resolver: { beforeResolve: () => Effect.fail(required) } })
      const reason = yield* Harness.reasonOf(harness.transport.connect("example", { principal: "ada" }))
      assert.isTrue(reason._tag === "HeadersFailed" && reason.error === required)
    })
  )
})

describe("nobody is signed in", () => {
  it.live("inside a request", () =>
    Effect.gen(function* () {
      const { connect, state } = yield* make()
      const connection = yield* connect
      state.signedIn = false
      const reason = yield* Harness.reasonOf(connection.callTool("echo", {}).pipe(Harness.asSession("one")))
      assert.isTrue(reason._tag === "HeadersFailed" && reason.error === required)
      assert.strictEqual(state.attempts, 1)
    })
  )

  it.live("by a transport or a fetch", () =>
    Effect.gen(function* () {
      const { harness, state } = yield* make()
      const owner = { principal: "ada" }
      const client = new Client({ name: "test", version: "1" })
      const transport = yield* harness.transport.transport("example", owner)
      const connected = yield* Effect.exit(Effect.tryPromise(() => client.connect(transport)))
      assert.strictEqual(connected._tag, "Failure")
      const fetch = yield* harness.transport.fetch("example", owner)
      const fetched = yield* Effect.exit(Effect.tryPromise(() => fetch(harness.server.url)))
      assert.strictEqual(fetched._tag, "Failure")
      assert.strictEqual(state.attempts, 0)
    })
  )
})
