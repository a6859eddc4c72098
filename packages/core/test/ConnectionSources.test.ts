/** What a call gets on the spot, and what it has to be awaited for. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import { IncomingMissing } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { isSettled } from "@letterhead/core/Settled"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as HookSource from "@letterhead/core/sources/HookSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as PassthroughSource from "@letterhead/core/sources/PassthroughSource"
import * as StaticSource from "@letterhead/core/sources/StaticSource"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

const patch = (source: string, rank: number, fields: Readonly<Record<string, string>>): HeaderPatch.HeaderPatch => ({
  ...HeaderPatch.empty(source, rank),
  set: Object.entries(fields).map(([name, value]) =>
    Result.getOrThrow(HeaderPatch.setField(name, value, `${source}.json`))
  )
})

const source = (
  id: string,
  rank: number,
  lifetime: HeaderSource["lifetime"],
  resolve: HeaderSource["resolve"]
): HeaderSource => ({ id, rank, lifetime, resolve })

/** One value that is kept, another with each answer. */
const counting = (id: string, rank: number, lifetime: HeaderSource["lifetime"]): HeaderSource => {
  let answers = 0
  return {
    ...source(id, rank, lifetime, () => Effect.sync(() => patch(id, rank, { [`x-${id}`]: String(++answers) }))),
    challenge: () => Effect.succeed(true)
  }
}

const session = source("session", Rank.hook, "call", (_entry, { sessionId = "none" }) =>
  Exit.succeed(patch("session", Rank.hook, { "x-session": sessionId }))
)

const withSources = (...sources: ReadonlyArray<HeaderSource>) =>
  Effect.provide(
    HeaderResolver.layer.pipe(
      Layer.provide(MockHeaderSources.layer(sources)),
      Layer.provide(MockTrustGate.layerPermitAll),
      Layer.provide(NodeServices.layer)
    )
  )

const open = (server = entry()) =>
  Effect.flatMap(HeaderResolver.HeaderResolver, (resolver) => resolver.open(server, local))

/** What is there without anything being run; fails the test where there is something to wait for. */
const atOnce = (resolving: Effect.Effect<ResolvedHeaders, unknown>): Readonly<Record<string, string>> => {
  assert.isTrue(isSettled(resolving), "nothing has to be awaited")
  return Object.fromEntries(isSettled(resolving) && Exit.isSuccess(resolving) ? resolving.value.reveal() : [])
}

describe("headers of a call", () => {
  it.effect("are there at once where all that is asked answers at once", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      for (const sessionId of ["a", "b"]) {
        assert.deepStrictEqual(atOnce(connection.resolve({ ...local, sessionId })), {
          "x-helper": "1",
          "x-static": "1",
          "x-session": sessionId
        })
      }
    }).pipe(
      withSources(counting("static", Rank.static, "connection"), counting("helper", Rank.helper, "connection"), session)
    )
  )

  it.effect("are awaited from the first source that has to be awaited, and complete", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const resolving = connection.resolve({ ...local, sessionId: "a" })
      assert.isFalse(isSettled(resolving))
      assert.deepStrictEqual(Object.fromEntries((yield* resolving).reveal()), {
        "x-static": "1",
        "x-token": "token",
        "x-helper": "1",
        "x-session": "a"
      })
    }).pipe(
      withSources(
        counting("static", Rank.static, "connection"),
        source("oauth", Rank.oauth, "call", () =>
          Effect.delay(Effect.succeed(patch("oauth", Rank.oauth, { "x-token": "token" })), 1)
        ),
        counting("helper", Rank.helper, "connection"),
        session
      ),
      TestClock.withLive
    )
  )

  it.effect("are awaited while an answer that expired is renewed, and are there at once afterwards", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      assert.deepStrictEqual(atOnce(connection.resolve(local)), { "x-key": "1" })
      yield* TestClock.adjust(1_000)
      const resolving = connection.resolve(local)
      assert.isFalse(isSettled(resolving))
      assert.deepStrictEqual((yield* resolving).reveal(), [["x-key", "2"]])
      assert.deepStrictEqual(atOnce(connection.resolve(local)), { "x-key": "2" })
    }).pipe(
      withSources(
        (() => {
          let answers = 0
          return source("helper", Rank.helper, "connection", () =>
            Effect.sync(() => ({
              ...patch("helper", Rank.helper, { "x-key": String(++answers) }),
              expiresAt: answers * 1_000
            }))
          )
        })()
      )
    )
  )

  it.effect("are an error at once where a source has one at once, and a defect where it throws", () =>
    Effect.gen(function* () {
      const failed = (yield* open()).resolve({ ...local, sessionId: "fails" })
      assert.isTrue(isSettled(failed))
      const error = yield* Effect.flip(failed)
      assert.strictEqual(error.reason._tag, "HeaderTooLarge")
      assert.strictEqual(error.server, "example")
      const died = (yield* open()).resolve({ ...local, sessionId: "throws" })
      assert.isTrue(isSettled(died) && Exit.hasDies(died))
    }).pipe(
      withSources(
        source("broken", Rank.hook, "call", (_entry, { sessionId }) => {
          if (sessionId === "throws") throw new RangeError("canary")
          const fields = Array.from({ length: 65 }, (_, index) => [`x-${index}`, "v"] as const)
          return Exit.succeed(patch("broken", Rank.hook, Object.fromEntries(fields)))
        })
      )
    )
  )

  it.effect("of one call are not in those of another, whatever the ranks", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      for (const sessionId of ["a", "b", "none", "a", "none"]) {
        const call: CallContext = sessionId === "none" ? local : { ...local, sessionId }
        assert.deepStrictEqual(atOnce(connection.resolve(call)), {
          "x-static": "1",
          ...(sessionId === "none" ? {} : { "x-low": sessionId, "x-high": sessionId })
        })
      }
    }).pipe(
      withSources(
        ...(["low", "high"] as const).map((id) => {
          const rank = id === "low" ? Rank.passthrough : Rank.hook
          return source(id, rank, "call", (_entry, { sessionId }) =>
            Exit.succeed(patch(id, rank, sessionId === undefined ? {} : { [`x-${id}`]: sessionId }))
          )
        }),
        counting("static", Rank.static, "connection")
      )
    )
  )

  it.effect("that were asked for while another call renewed an answer do not bring the old one back", () => {
    const gate = Deferred.makeUnsafe<void>()
    let slow = true
    return Effect.gen(function* () {
      const connection = yield* open()
      const held = yield* Effect.forkChild(connection.resolve(local), { startImmediately: true })
      slow = false
      yield* connection.reconnect
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(held)
      assert.deepStrictEqual(atOnce(connection.resolve(local)), { "x-static": "2", "x-helper": "2" })
    }).pipe(
      withSources(
        counting("static", Rank.static, "connection"),
        source("oauth", Rank.oauth, "call", () => {
          const nothing = HeaderPatch.empty("oauth", Rank.oauth)
          return slow ? Effect.as(Deferred.await(gate), nothing) : Exit.succeed(nothing)
        }),
        counting("helper", Rank.helper, "connection")
      )
    )
  })

  it.effect("ask a source that is asked for each call also after it took a challenge", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const sent = yield* connection.resolve(local)
      assert.strictEqual(yield* connection.challenge(local, sent, { status: 401 }), "retry")
      assert.deepStrictEqual((yield* connection.resolve(local)).reveal(), [["x-oauth", "2"]])
      assert.deepStrictEqual((yield* connection.resolve(local)).reveal(), [["x-oauth", "3"]])
    }).pipe(withSources(counting("oauth", Rank.oauth, "call")))
  )
})

describe("a source", () => {
  it.effect("that does not apply to an entry is not asked, at connect or for a call", () => {
    const asked: Array<string> = []
    const asks = (id: string, lifetime: HeaderSource["lifetime"]): HeaderSource => ({
      ...source(id, Rank.static, lifetime, (server) =>
        Effect.sync(() => {
          asked.push(`${id} ${server.name}`)
          return patch(id, Rank.static, { [`x-${id}`]: "1" })
        })
      ),
      applies: (server) => server.name === "with"
    })
    return Effect.gen(function* () {
      assert.deepStrictEqual(atOnce((yield* open(entry({ name: "without" }))).resolve(local)), {})
      assert.deepStrictEqual(asked, [])
      yield* (yield* open(entry({ name: "with" }))).resolve(local)
      assert.deepStrictEqual(asked, ["kept with", "called with"])
    }).pipe(withSources(asks("kept", "connection"), asks("called", "call")))
  })

  it.effect("sees what the sources below yielded, and only what they yielded, when it asks", () =>
    Effect.gen(function* () {
      const connection = yield* open()
      const resolved = yield* connection.resolve({ ...local, sessionId: "a" })
      assert.deepStrictEqual(Object.fromEntries(resolved.reveal()), {
        "x-low": "a",
        "x-static": "1",
        "x-saw": "x-low x-static",
        "x-session": "a"
      })
    }).pipe(
      withSources(
        source("low", Rank.passthrough, "call", (_entry, { sessionId = "" }) =>
          Exit.succeed(patch("low", Rank.passthrough, { "x-low": sessionId }))
        ),
        counting("static", Rank.static, "connection"),
        source("look", Rank.helper, "call", (_entry, _call, soFar) =>
          Effect.map(soFar(), (below) =>
            patch("look", Rank.helper, { "x-saw": below.provenance.map(({ name }) => name).join(" ") })
          )
        ),
        session
      )
    )
  )
})

const callOf = (user: string): CallContext => ({
  principal: "ada",
  sessionId: "s-1",
  method: "tools/call",
  incoming: [
    { name: "X_User", value: Redacted.make(user) },
    { name: "X-Trace", value: Redacted.make("trace") }
  ]
})

it.effect("static headers, incoming headers and a hook of the runtime that answers need no fiber", () => {
  let asked = 0
  const gate = Layer.succeed(TrustGate, {
    require: () =>
      Effect.sync(() => {
        asked++
        return { passEnv: [], verify: Effect.void }
      })
  })
  const sources = Layer.effect(
    HeaderSources,
    Effect.all([
      PassthroughSource.make,
      StaticSource.make,
      PassthroughSource.makeOverride,
      Effect.provideService(HookSource.make, CallHooks, [
        {
          name: "session",
          run: ({ sessionID }, headers, { principal }) =>
            Exit.succeed({ "x-session": `${sessionID} ${principal} ${headers["X-Static"]}`, "x-gone": undefined })
        }
      ])
    ])
  )
  return Effect.gen(function* () {
    const server = entry({
      headers: { "X-Static": "static", "X-Gone": "gone" },
      passthrough: [{ name: "x-user" }, { name: "x-trace", override: true, required: true }]
    })
    const connection = yield* open(server)
    const expected = { "X-Static": "static", "x-session": "s-1 ada static", "x-trace": "trace" }
    // The gate is asked before the first header is forwarded, once for each of the two sources.
    const first = connection.resolve(callOf("first"))
    assert.isFalse(isSettled(first))
    assert.deepStrictEqual(Object.fromEntries((yield* first).reveal()), { ...expected, "x-user": "first" })
    assert.strictEqual(asked, 2)
    for (const user of ["second", "third"]) {
      assert.deepStrictEqual(atOnce(connection.resolve(callOf(user))), { ...expected, "x-user": user })
    }
    const missing = connection.resolve({ ...callOf("fourth"), incoming: [] })
    assert.isTrue(isSettled(missing))
    assert.instanceOf((yield* Effect.flip(missing)).reason, IncomingMissing)
    assert.strictEqual(asked, 2)
  }).pipe(
    Effect.provide(
      HeaderResolver.layer.pipe(Layer.provide(sources), Layer.provide(gate), Layer.provide(NodeServices.layer))
    )
  )
})
