import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { CallContextMissing, HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { patch, rotating, withSources, open, authorization, UNAUTHORIZED } from "./ResolverSources.ts"

const fixed = (id: string, rank: number, fields: Readonly<Record<string, string>>): HeaderSource => ({
  id,
  rank,
  lifetime: "connection",
  resolve: () => Effect.succeed(patch(id, rank, fields))
})

it.effect("the higher rank wins, whatever the order of the list, and says what it shadowed", () =>
  Effect.gen(function* () {
    const connection = yield* open()
    const resolved = yield* connection.resolve(local)
    assert.deepStrictEqual(resolved.reveal(), [["x-key", "from helper"]])
    assert.deepStrictEqual(resolved.get("X-Key")?.shadowed, [{ source: "static", declared: "static.json" }])
  }).pipe(
    Effect.provide(
      withSources(
        fixed("helper", Rank.helper, { "x-key": "from helper" }),
        fixed("static", Rank.static, { "X-Key": "from static" })
      )
    )
  )
)

it.effect("connection sources are asked at connect, and not for each call", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    for (let call = 0; call < 10; call++)
      assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 1")
    assert.strictEqual(credential.runs(), 1)
    yield* open()
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F25: a hundred connects of one principal that wait at once share one run", () => {
  const credential = rotating({ delay: 100 })
  const server = entry()
  return Effect.gen(function* () {
    const all = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: 100 }, () => open("ada", server)),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(100)
    yield* Fiber.join(all)
    assert.strictEqual(credential.runs(), 1)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("principals do not share an answer", () => {
  const credential = rotating()
  const server = entry()
  return Effect.gen(function* () {
    const ada = yield* open("ada", server)
    const bob = yield* open("bob", server)
    assert.strictEqual(authorization(yield* ada.resolve({ principal: "ada" })), "Bearer 1")
    assert.strictEqual(authorization(yield* bob.resolve({ principal: "bob" })), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F29: a source that fails at connect fails the connect, naming server and source", () => {
  const failure = new HeaderError({
    server: "example",
    source: "helper",
    reason: new CallContextMissing({ fact: "sessionId" })
  })
  return Effect.gen(function* () {
    const error = yield* Effect.flip(open())
    assert.strictEqual(error, failure)
  }).pipe(
    Effect.provide(
      withSources({ id: "helper", rank: Rank.helper, lifetime: "connection", resolve: () => Effect.fail(failure) })
    )
  )
})

it.effect("one request never mixes two generations while they change under it", () => {
  let runs = 0
  const gates: Array<Deferred.Deferred<void>> = []
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      Effect.sync(() => {
        runs++
        return patch("helper", Rank.helper, { "x-one": `${runs}`, "x-two": `${runs}` })
      })
  }
  const slow: HeaderSource = {
    id: "slow",
    rank: Rank.hook,
    lifetime: "call",
    resolve: () => {
      const gate = gates.shift()
      const nothing = HeaderPatch.empty("slow", Rank.hook)
      return gate === undefined ? Effect.succeed(nothing) : Effect.as(Deferred.await(gate), nothing)
    }
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    const gate = yield* Deferred.make<void>()
    gates.push(gate)
    const held = yield* Effect.forkChild(connection.resolve(local), { startImmediately: true })
    yield* connection.challenge(local, sent, UNAUTHORIZED)
    yield* Deferred.succeed(gate, undefined)
    for (const resolved of [yield* Fiber.join(held), yield* connection.resolve(local)]) {
      const values = new Set(resolved.reveal().map(([, value]) => value))
      assert.strictEqual(values.size, 1)
    }
  }).pipe(Effect.provide(withSources(source, slow)))
})

it.effect("explain resolves and keeps nothing open", () =>
  Effect.gen(function* () {
    const resolver = yield* HeaderResolver.HeaderResolver
    const provenance = yield* resolver.explain(entry(), local)
    assert.deepStrictEqual(
      provenance.map((field) => [field.name, field.source, field.declared]),
      [["x-key", "static", "static.json"]]
    )
  }).pipe(Effect.provide(withSources(fixed("static", Rank.static, { "x-key": "value" }))))
)

it.effect("a URL with a password in it is refused without being shown", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(open("ada", entry({ url: "https://me:canary-secret@mcp.example.com/mcp" })))
    assert.strictEqual(error.reason._tag, "UrlInvalid")
    assert.notInclude(error.message, "canary-secret")
  }).pipe(Effect.provide(withSources()))
)

it.effect(
  "F23: an answer that had expired when the connection opened is used for one request, and for no other",
  () => {
    const credential = rotating({ lifetime: -1 })
    return Effect.gen(function* () {
      const connection = yield* open()
      assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 1")
      assert.strictEqual(credential.runs(), 1)
      assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
      const refused = yield* connection.resolve(local)
      assert.strictEqual(authorization(refused), "Bearer 3")
      assert.strictEqual(yield* connection.challenge(local, refused, UNAUTHORIZED), "retry")
      assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 4")
    }).pipe(Effect.provide(withSources(credential.source)), Effect.scoped)
  }
)

it.effect("a reconnect asks the connection sources anew, and no call does until the next one", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* connection.reconnect
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
    assert.strictEqual(credential.runs(), 2)
    // A request that was under way with the earlier answer: nobody has to be asked for a newer one.
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("connections of a principal that reconnect at once share one run", () => {
  const credential = rotating({ delay: 50 })
  const server = entry()
  return Effect.gen(function* () {
    const connecting = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: 10 }, () => open("ada", server)),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(50)
    const connections = yield* Fiber.join(connecting)
    const reconnecting = yield* Effect.forkChild(
      Effect.forEach(connections, (connection) => connection.reconnect, { concurrency: "unbounded" })
    )
    yield* TestClock.adjust(50)
    yield* Fiber.join(reconnecting)
    assert.strictEqual(credential.runs(), 2)
    for (const connection of connections)
      assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("a reconnect that fails keeps all earlier answers, also of sources that answered", () => {
  let runs = 0
  const failure = new HeaderError({ reason: new CallContextMissing({ fact: "sessionId" }) })
  const changing: HeaderSource = {
    ...fixed("static", Rank.static, {}),
    resolve: () => Effect.sync(() => patch("static", Rank.static, { "x-key": `${++runs}` }))
  }
  const failing: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      runs === 2 ? Effect.fail(failure) : Effect.succeed(patch("helper", Rank.helper, { Authorization: `${runs}` }))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const before = (yield* connection.resolve(local)).reveal()
    assert.strictEqual(yield* Effect.flip(connection.reconnect), failure)
    assert.deepStrictEqual((yield* connection.resolve(local)).reveal(), before)
    yield* connection.reconnect
    assert.deepStrictEqual((yield* connection.resolve(local)).reveal(), [
      ["x-key", "3"],
      ["Authorization", "3"]
    ])
  }).pipe(Effect.provide(withSources(changing, failing)))
})

it.effect("what a source kept and gives again at a reconnect is no new answer", () => {
  const kept = patch("helper", Rank.helper, { Authorization: "Bearer kept" })
  let fresh = false
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () => Effect.sync(() => (fresh ? patch("helper", Rank.helper, { Authorization: "Bearer fresh" }) : kept)),
    challenge: () => Effect.sync(() => (fresh = true))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* connection.reconnect
    // The refused value is the kept one, so it is not tried a second time.
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer fresh")
  }).pipe(Effect.provide(withSources(source)))
})
