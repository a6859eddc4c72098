/** A source that stands back for others and signs in, as OAuth does: when it is asked, and about what. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { HeaderError, SignInFailed, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { HeaderResolver, layer } from "@letterhead/core/HeaderResolver"
import { isSettled } from "@letterhead/core/Settled"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const INSUFFICIENT = { status: 403, wwwAuthenticate: 'Bearer error="insufficient_scope", scope="a b"' }

/** What is asked of the source that stands back, in order. */
const standing = (asked: Array<string>): HeaderSource => ({
  ...MockHeaderSources.source({
    id: "oauth",
    rank: Rank.oauth,
    headers: () => {
      asked.push("resolve")
      return { authorization: "Bearer of-oauth" }
    }
  }),
  standsBackFor: "Authorization",
  challenge: (_entry, _call, _sent, response) =>
    Effect.sync(() => {
      asked.push(`challenge ${response.status}`)
      return true
    }),
  signIn: (_entry, owner) => Effect.sync(() => void asked.push(`signIn ${owner.principal}`))
})

const supplier = (
  id: string,
  rank: number,
  lifetime: HeaderSource["lifetime"],
  headers: Readonly<Record<string, string>>
) => MockHeaderSources.source({ id, rank, lifetime, headers: () => headers })

/** One field of its own, and one that others have too. */
const fields = (id: string) => ({ [`x-${id}`]: id, "x-both": id })

/** Takes challenges, and says that it was asked. */
const other = (id: string, rank: number, asked: Array<string>, renews: boolean): HeaderSource => ({
  ...supplier(id, rank, "call", { [`x-${id}`]: "1" }),
  challenge: () =>
    Effect.sync(() => {
      asked.push(id)
      return renews
    })
})

const withSources = (sources: ReadonlyArray<HeaderSource>) =>
  Effect.provide(
    layer.pipe(
      Layer.provide(MockHeaderSources.layer(sources)),
      Layer.provide(MockTrustGate.layerPermitAll),
      Layer.provide(NodeServices.layer)
    )
  )

const open = Effect.flatMap(HeaderResolver, (resolver) => resolver.open(entry(), local))

describe("a source that stands back", () => {
  const suppliers = [
    ["passthrough", Rank.passthrough, "call"],
    ["static", Rank.static, "connection"],
    ["credential", Rank.credential, "connection"],
    ["helper", Rank.helper, "connection"],
    ["passthrough-override", Rank.passthroughOverride, "call"]
  ] as const
  for (const [id, rank, lifetime] of suppliers) {
    it.effect(`F51: is not asked where ${id} supplies the field, and that is told`, () => {
      const asked: Array<string> = []
      return Effect.gen(function* () {
        const connection = yield* open
        const resolving = connection.resolve(local)
        assert.isTrue(isSettled(resolving), "nothing has to be awaited")
        assert.deepStrictEqual((yield* resolving).reveal(), [["authorization", `of ${id}`]])
        assert.deepStrictEqual(asked, [])
        const [field] = yield* (yield* HeaderResolver).explain(entry(), local)
        assert.strictEqual(field?.source, id)
        assert.deepStrictEqual(field?.shadowed, [
          { source: "oauth", declared: `not attempted, since ${id} supplies authorization` }
        ])
      }).pipe(withSources([standing(asked), supplier(id, rank, lifetime, { authorization: `of ${id}` })]))
    })
  }

  it.effect("F51: yields to a hook by rank, and is asked first", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* (yield* open).resolve(local)).reveal(), [["authorization", "of hook"]])
      assert.deepStrictEqual(asked, ["resolve"])
      const [field] = yield* (yield* HeaderResolver).explain(entry(), local)
      assert.deepStrictEqual(field?.shadowed, [{ source: "oauth", declared: "mock source oauth" }])
    }).pipe(withSources([standing(asked), supplier("hook", Rank.hook, "call", { authorization: "of hook" })]))
  })

  it.effect("is asked at once where others leave the field open, and keeps its rank in the rest", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      const resolving = (yield* open).resolve(local)
      assert.isTrue(isSettled(resolving), "nothing has to be awaited")
      assert.deepStrictEqual(Object.fromEntries((yield* resolving).reveal()), {
        authorization: "Bearer of-oauth",
        "x-static": "static",
        "x-helper": "helper",
        "x-both": "helper"
      })
    }).pipe(
      withSources([
        supplier("static", Rank.static, "connection", fields("static")),
        standing(asked),
        supplier("helper", Rank.helper, "connection", fields("helper"))
      ])
    )
  })
})

describe("a refusal", () => {
  it.effect("that concerns no Authorization reaches what stands back after all others", () => {
    const asked: Array<string> = []
    const silent: HeaderSource = {
      ...standing(asked),
      resolve: () => Effect.succeed(HeaderPatch.empty("oauth", Rank.oauth))
    }
    return Effect.gen(function* () {
      const connection = yield* open
      const sent = yield* connection.resolve(local)
      assert.strictEqual(yield* connection.challenge(local, sent, { status: 401 }), "retry")
      assert.deepStrictEqual(asked, ["helper", "static", "challenge 401"])
    }).pipe(
      withSources([other("static", Rank.static, asked, false), silent, other("helper", Rank.helper, asked, false)])
    )
  })

  for (const [lifetime, who] of [
    ["connection", "a helper"],
    ["call", "a source of the runtime"]
  ] as const) {
    it.effect(
      `that follows what ${who} renewed without an Authorization reaches what stands back, and it alone`,
      () => {
        const asked: Array<string> = []
        const required = new HeaderError({
          reason: new SignInRequired({ server: "example", description: "nobody is" })
        })
        const silent: HeaderSource = {
          ...standing(asked),
          resolve: () => Effect.succeed(HeaderPatch.empty("oauth", Rank.oauth)),
          challenge: () =>
            Effect.andThen(
              Effect.sync(() => asked.push("oauth")),
              Effect.fail(required)
            )
        }
        return Effect.gen(function* () {
          const connection = yield* open
          const sent = yield* connection.resolve(local)
          assert.strictEqual(yield* connection.challenge(local, sent, { status: 401 }), "retry")
          assert.deepStrictEqual(asked, ["other"])
          const again = yield* connection.resolve(local)
          yield* connection.refusedAgain(local, again, { status: 403 })
          assert.deepStrictEqual(asked, ["other"])
          assert.strictEqual(yield* Effect.flip(connection.refusedAgain(local, again, { status: 401 })), required)
          assert.deepStrictEqual(asked, ["other", "oauth"])
        }).pipe(withSources([silent, { ...other("other", Rank.helper, asked, true), lifetime }]))
      }
    )
  }

  it.effect(
    "F51: that follows another one is the caller's where a source said who calls, also what stands back",
    () => {
      const asked: Array<string> = []
      return Effect.gen(function* () {
        const connection = yield* open
        yield* connection.refusedAgain(local, yield* connection.resolve(local), { status: 401 })
        assert.deepStrictEqual(asked, ["resolve"])
      }).pipe(withSources([standing(asked)]))
    }
  )

  it.effect("F55: a 403 about scope reaches what signs in, another one a helper", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      const connection = yield* open
      const sent = yield* connection.resolve(local)
      assert.strictEqual(yield* connection.challenge(local, sent, INSUFFICIENT), "retry")
      assert.strictEqual(yield* connection.challenge(local, sent, { status: 403 }), "give up")
      assert.deepStrictEqual(asked, ["resolve", "challenge 403"])
    }).pipe(withSources([standing(asked), other("helper", Rank.helper, asked, true)]))
  })

  it.effect("F55: a 403 about scope is the caller's where another source said who calls", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      const connection = yield* open
      const sent = yield* connection.resolve(local)
      assert.strictEqual(yield* connection.challenge(local, sent, INSUFFICIENT), "give up")
      assert.deepStrictEqual(asked, [])
    }).pipe(
      withSources([standing(asked), supplier("static", Rank.static, "connection", { authorization: "Bearer static" })])
    )
  })
})

describe("signing in", () => {
  it.effect("is done by the source that can, for the one who asks", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      assert.isTrue(yield* (yield* open).signIn({ principal: "ada" }))
      assert.deepStrictEqual(asked, ["signIn ada"])
    }).pipe(withSources([supplier("static", Rank.static, "connection", {}), standing(asked)]))
  })

  it.effect("is not done where no source can, or the one that can does not apply", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      assert.isFalse(yield* (yield* open).signIn(local))
    }).pipe(withSources([{ ...standing(asked), applies: () => false }]))
  })

  it.effect("fails as the source does", () => {
    const refused = new HeaderError({ reason: new SignInFailed({ description: "the person said no" }) })
    return Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip((yield* open).signIn(local)), refused)
    }).pipe(withSources([{ ...standing([]), signIn: () => Effect.fail(refused) }]))
  })
})
