import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { CallContextMissing, HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Clock from "effect/Clock"
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

/** A credential that changes with every run. */
const rotating = (options: { readonly delay?: number; readonly lifetime?: number } = {}) => {
  let runs = 0
  const source: HeaderSource = {
    id: "helper",
    rank: Rank.helper,
    lifetime: "connection",
    resolve: () =>
      Effect.gen(function* () {
        if (options.delay !== undefined) yield* Effect.sleep(options.delay)
        const fields = patch("helper", Rank.helper, { Authorization: `Bearer ${++runs}` })
        if (options.lifetime === undefined) return fields
        return { ...fields, expiresAt: (yield* Clock.currentTimeMillis) + options.lifetime }
      }),
    challenge: () => Effect.succeed(true)
  }
  return { source, runs: () => runs }
}

const fixed = (id: string, rank: number, fields: Readonly<Record<string, string>>): HeaderSource => ({
  id,
  rank,
  lifetime: "connection",
  resolve: () => Effect.succeed(patch(id, rank, fields))
})

const withSources = (...sources: ReadonlyArray<HeaderSource>) =>
  HeaderResolver.layer.pipe(
    Layer.provide(Layer.succeed(HeaderSources, sources)),
    Layer.provide(Layer.succeed(TrustGate, { require: () => Effect.succeed({ passEnv: [], verify: Effect.void }) })),
    Layer.provide(NodeServices.layer)
  )

const open = (principal = "ada", server = entry()) =>
  Effect.flatMap(HeaderResolver.HeaderResolver, (resolver) => resolver.open(server, { principal }))

const authorization = (headers: ResolvedHeaders) => {
  const value = headers.get("authorization")?.value
  return value === undefined ? undefined : Redacted.value(value)
}

const UNAUTHORIZED = { status: 401 }

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

it.effect("an answer is renewed when it expires, once for all calls that find it so", () => {
  const credential = rotating({ lifetime: 1_000 })
  return Effect.gen(function* () {
    const connection = yield* open()
    yield* TestClock.adjust(999)
    yield* connection.resolve(local)
    assert.strictEqual(credential.runs(), 1)
    yield* TestClock.adjust(1)
    const resolved = yield* Effect.all(
      Array.from({ length: 50 }, () => connection.resolve(local)),
      { concurrency: "unbounded" }
    )
    assert.strictEqual(credential.runs(), 2)
    assert.isTrue(resolved.every((headers) => authorization(headers) === "Bearer 2"))
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F24: a clock that jumps back an hour does not keep an answer for longer than a 401", () => {
  const credential = rotating({ lifetime: 1_000 })
  return Effect.gen(function* () {
    yield* TestClock.setTime(3_600_000)
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* TestClock.setTime(0)
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 1")
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F52: a 401 for the current generation runs the source once and retries", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(credential.runs(), 2)
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 2")
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F53: a 401 for an older generation runs nothing and retries with the current one", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    yield* connection.challenge(local, sent, UNAUTHORIZED)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F53: a connection whose answer is refused takes the newer one of the principal's other connection", () => {
  const credential = rotating()
  const server = entry()
  return Effect.gen(function* () {
    const first = yield* open("ada", server)
    const sent = yield* first.resolve(local)
    yield* open("ada", server)
    assert.strictEqual(authorization(yield* first.resolve(local)), "Bearer 1")
    assert.strictEqual(yield* first.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* first.resolve(local)), "Bearer 2")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F54: of a hundred calls that meet one refused credential, one renews it", () => {
  const credential = rotating({ delay: 50 })
  return Effect.gen(function* () {
    const connecting = yield* Effect.forkChild(open())
    yield* TestClock.adjust(50)
    const connection = yield* Fiber.join(connecting)
    const sent = yield* connection.resolve(local)
    const storm = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: 100 }, () => connection.challenge(local, sent, UNAUTHORIZED)),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(50)
    assert.isTrue((yield* Fiber.join(storm)).every((answer) => answer === "retry"))
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F26: a caller that goes away does not end the renewal for those who still wait", () => {
  const credential = rotating({ delay: 50 })
  return Effect.gen(function* () {
    const connecting = yield* Effect.forkChild(open())
    yield* TestClock.adjust(50)
    const connection = yield* Fiber.join(connecting)
    const sent = yield* connection.resolve(local)
    const first = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    const second = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    yield* TestClock.adjust(10)
    yield* Fiber.interrupt(first)
    yield* TestClock.adjust(40)
    assert.strictEqual(yield* Fiber.join(second), "retry")
    assert.strictEqual(credential.runs(), 2)
  }).pipe(Effect.provide(withSources(credential.source)))
})

it.effect("F26: a renewal that nobody waits for any more ends", () => {
  let interrupted = false
  let runs = 0
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      ++runs === 1
        ? Effect.succeed(patch("helper", Rank.helper, { Authorization: "Bearer 1" }))
        : Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    const only = yield* Effect.forkChild(connection.challenge(local, sent, UNAUTHORIZED))
    yield* TestClock.adjust(1)
    yield* Fiber.interrupt(only)
    assert.isTrue(interrupted)
  }).pipe(Effect.provide(withSources(source)))
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

it.effect("a failed renewal is the caller's error and is tried again by the next call", () => {
  let runs = 0
  const source: HeaderSource = {
    ...rotating().source,
    resolve: () =>
      ++runs === 2
        ? Effect.fail(new HeaderError({ reason: new CallContextMissing({ fact: "sessionId" }) }))
        : Effect.succeed(patch("helper", Rank.helper, { Authorization: `Bearer ${runs}` }))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(connection.challenge(local, sent, UNAUTHORIZED))))
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "retry")
    assert.strictEqual(authorization(yield* connection.resolve(local)), "Bearer 3")
  }).pipe(Effect.provide(withSources(source)))
})

it.effect("a refusal asks the source whose Authorization was sent and no other", () => {
  const credential = rotating()
  const hook: HeaderSource = {
    id: "hook",
    rank: Rank.hook,
    lifetime: "call",
    resolve: () => Effect.succeed(patch("hook", Rank.hook, { authorization: "Bearer of the hook" }))
  }
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "give up")
    assert.strictEqual(credential.runs(), 1)
  }).pipe(Effect.provide(withSources(credential.source, hook)))
})

it.effect(
  "F51: of four sources that set Authorization one value is sent, and a 401 never falls through into OAuth",
  () => {
    const asked: Array<string> = []
    const authorizing = (id: keyof typeof Rank, lifetime: HeaderSource["lifetime"]): HeaderSource => ({
      id,
      rank: Rank[id],
      lifetime,
      resolve: () => Effect.succeed(patch(id, Rank[id], { Authorization: `Bearer ${id}` })),
      challenge: () => Effect.sync(() => asked.push(id) > 0)
    })
    const { challenge: _none, ...hook } = authorizing("hook", "call")
    return Effect.gen(function* () {
      const connection = yield* open()
      const sent = yield* connection.resolve(local)
      assert.deepStrictEqual(sent.reveal(), [["Authorization", "Bearer hook"]])
      assert.deepStrictEqual(
        sent.get("authorization")?.shadowed.map((statement) => statement.source),
        ["helper", "oauth", "static"]
      )
      assert.strictEqual(yield* connection.challenge(local, sent, UNAUTHORIZED), "give up")
      assert.deepStrictEqual(asked, [])
    }).pipe(
      Effect.provide(
        withSources(
          hook,
          authorizing("oauth", "call"),
          authorizing("helper", "connection"),
          authorizing("static", "connection")
        )
      )
    )
  }
)

it.effect("F55: a 403 renews a helper's credential unless it is about scope", () => {
  const credential = rotating()
  return Effect.gen(function* () {
    const connection = yield* open()
    const sent = yield* connection.resolve(local)
    const scope = { status: 403, wwwAuthenticate: 'Bearer error="insufficient_scope", scope="write"' }
    assert.strictEqual(yield* connection.challenge(local, sent, scope), "give up")
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 403 }), "retry")
    assert.strictEqual(credential.runs(), 2)
    // Another call that was refused with the same one takes what is there by now.
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 403 }), "retry")
    assert.strictEqual(credential.runs(), 2)
    assert.strictEqual(yield* connection.challenge(local, sent, { status: 500 }), "give up")
  }).pipe(Effect.provide(withSources(credential.source)))
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
