/** What is counted, and that nothing of what is sent is in it. */
import { inspect } from "node:util"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { CallContextMissing, HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { isSettled } from "@letterhead/core/Settled"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as HelperSource from "@letterhead/core/sources/HelperSource"
import type { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import { MeasureResolving } from "@letterhead/core/Telemetry"
import { entry } from "@letterhead/testing/EntryFixture"
import * as HelperFixture from "@letterhead/testing/HelperFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import { denying, eventually, failure, run, runner } from "./helper/runnerFixture.ts"

/** In every value, name and text that could end up where it must not. */
const CANARY = "canary"

/** What was counted, as text: `letterhead_helper_runs{outcome="success"} 1`. */
const counted = Effect.map(Metric.snapshot, (series) =>
  series
    .flatMap(({ attributes = {}, id, state }) => {
      const labels = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      return "count" in state ? [`${id}{${labels.join(",")}} ${state.count}`] : []
    })
    .toSorted()
)

const withoutCanary = Effect.map(Metric.snapshot, (series) => {
  assert.notInclude(inspect(series, { depth: 20 }) + JSON.stringify(series), CANARY)
})

/** With counts of its own, from zero. */
const counting = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const resolver = (sources: Layer.Layer<HeaderSources>) =>
  HeaderResolver.layer.pipe(
    Layer.provide(sources),
    Layer.provide(MockTrustGate.layerPermitAll),
    Layer.provide(NodeServices.layer)
  )

const open = (name = "canary.example") =>
  Effect.flatMap(HeaderResolver.HeaderResolver, (service) => service.open(entry({ name }), local))

const named = (fixture: HelperFixture.HelperFixture) =>
  entry({ name: "canary.example", directory: fixture.directory, helper: { command: fixture.command, timeout: 500 } })

it.live("runs of helpers are counted by how they ended", () =>
  Effect.gen(function* () {
    const fixture = yield* HelperFixture.make({ stdout: `{"Authorization": "Bearer ${CANARY}"}` })
    yield* run(named(fixture), { explicit: true })
    yield* run(named(fixture), { explicit: true })
    yield* fixture.become({ stderr: CANARY, exitCode: 3 })
    yield* failure(named(fixture), { explicit: true })
    yield* fixture.become({ stdout: `${CANARY}\n` })
    yield* failure(named(fixture), { explicit: true })
    yield* fixture.become({ hangs: true })
    yield* failure(named(fixture), { explicit: true })
    const runs = yield* fixture.runs
    const waiting = yield* Effect.forkChild(
      run(entry({ directory: fixture.directory, helper: { command: fixture.command } }))
    )
    yield* eventually(Effect.map(fixture.runs, (count) => count > runs))
    yield* Fiber.interrupt(waiting)
    yield* eventually(Effect.map(counted, (lines) => lines.some((line) => line.includes("interrupted"))))
    assert.deepStrictEqual(yield* counted, [
      'letterhead_helper_runs{outcome="ExitedWith"} 1',
      'letterhead_helper_runs{outcome="OutputNotJson"} 1',
      'letterhead_helper_runs{outcome="TimedOut"} 1',
      'letterhead_helper_runs{outcome="interrupted"} 1',
      'letterhead_helper_runs{outcome="success"} 2'
    ])
    yield* withoutCanary
  }).pipe(Effect.provide(runner()), counting)
)

it.effect("a run that nobody approved is counted as that", () =>
  Effect.gen(function* () {
    yield* failure(entry({ helper: { command: ["canary"] } }))
    assert.deepStrictEqual(yield* counted, ['letterhead_helper_runs{outcome="NotTrusted"} 1'])
  }).pipe(Effect.provide(runner({ gate: denying })), counting)
)

it.effect("refusals are counted by their status and what was decided", () => {
  let answer: Effect.Effect<boolean, HeaderError> = Effect.succeed(true)
  const source: HeaderSource = {
    id: HelperSource.ID,
    rank: Rank.helper,
    lifetime: "connection",
    resolve: () =>
      Effect.sync(() => ({
        ...HeaderPatch.empty(HelperSource.ID, Rank.helper),
        set: [{ name: `x-${CANARY}`, value: Redacted.make(CANARY), declared: CANARY }]
      })),
    challenge: () => answer
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const refused = Effect.fnUntraced(function* (status: number) {
      const sent = yield* connection.resolve(local)
      return yield* Effect.exit(connection.challenge(local, sent, { status, wwwAuthenticate: CANARY }))
    })
    yield* refused(401)
    yield* refused(401)
    yield* refused(403)
    yield* refused(500)
    answer = Effect.fail(new HeaderError({ reason: new CallContextMissing({ fact: "sessionId" }) }))
    yield* refused(401)
    assert.deepStrictEqual(yield* counted, [
      'letterhead_challenges{status="401",decision="failed"} 1',
      'letterhead_challenges{status="401",decision="retry"} 2',
      'letterhead_challenges{status="403",decision="retry"} 1',
      'letterhead_challenges{status="500",decision="give up"} 1'
    ])
    yield* withoutCanary
  }).pipe(Effect.provide(resolver(MockHeaderSources.layer([source]))), counting)
})

const waiting = MockHeaderSources.layer([
  {
    id: "hook",
    rank: Rank.hook,
    lifetime: "call",
    resolve: (_entry, { sessionId }) => {
      const nothing = Effect.succeed(HeaderPatch.empty("hook", Rank.hook))
      if (sessionId === "fails")
        return Effect.fail(new HeaderError({ reason: new CallContextMissing({ fact: CANARY }) }))
      return sessionId === "waits" ? Effect.delay(nothing, 1) : nothing
    }
  }
])

const resolveThrice = Effect.gen(function* () {
  const connection = yield* open()
  const settled = connection.resolve({ ...local, sessionId: CANARY })
  assert.isTrue(isSettled(settled), "what is measured needs no fiber either")
  yield* connection.resolve({ ...local, sessionId: "waits" })
  yield* Effect.flip(connection.resolve({ ...local, sessionId: "fails" }))
})

it.live("resolving is measured where somebody asked for it, whatever comes of it", () =>
  Effect.gen(function* () {
    yield* resolveThrice
    assert.deepStrictEqual(yield* counted, ["letterhead_resolve_seconds{} 3"])
    yield* withoutCanary
  }).pipe(Effect.provide(resolver(waiting)), Effect.provideService(MeasureResolving, true), counting)
)

it.live("resolving is not measured where nobody asked for it", () =>
  Effect.gen(function* () {
    yield* resolveThrice
    assert.deepStrictEqual(yield* counted, [])
  }).pipe(Effect.provide(resolver(waiting)), counting)
)
