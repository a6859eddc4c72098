import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import { CredentialMissing, HeaderError, HeaderInvalid, NotTrusted } from "@letterhead/core/headers/HeaderError"
import { merge } from "@letterhead/core/headers/ResolvedHeaders"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as CredentialSource from "@letterhead/core/sources/CredentialSource"
import { nothingSoFar, Rank } from "@letterhead/core/sources/HeaderSource"
import * as TrustGate from "@letterhead/core/trust/TrustGate"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import { key } from "@letterhead/testing/laws/SecretStoreLaws"
import * as MockSecretStore from "@letterhead/testing/mocks/MockSecretStore"
import * as MockTrustStore from "@letterhead/testing/mocks/MockTrustStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

const CANARY = "canary-stored"

const linear = (options: EntryOptions = {}): ServerEntry =>
  entry({
    name: "linear",
    credentials: [{ name: "API_KEY", headerName: "X-Api-Key" }],
    ...options
  })

const services = (secrets: ReadonlyArray<MockSecretStore.MockSecret> = []) =>
  TrustGate.layer.pipe(
    Layer.provide(MockTrustStore.layerMemory),
    Layer.merge(MockSecretStore.layer(secrets)),
    Layer.provideMerge(NodeServices.layer)
  )

const resolve = (of: ServerEntry, call: CallContext = local) =>
  Effect.flatMap(CredentialSource.make, (source) => source.resolve(of, call, nothingSoFar))

const fields = (of: ServerEntry, call?: CallContext) =>
  Effect.map(resolve(of, call), (patch) => patch.set.map(({ name, value }) => [name, Redacted.value(value)]))

const stored = { ...key({}), value: CANARY }

describe("CredentialSource", () => {
  it.effect("an entry without fields has nothing to say", () =>
    Effect.gen(function* () {
      const source = yield* CredentialSource.make
      assert.deepStrictEqual([source.id, source.rank, source.lifetime], ["credential", Rank.credential, "connection"])
      assert.deepStrictEqual((yield* resolve(entry())).set, [])
    }).pipe(Effect.provide(services()))
  )

  it.effect("a stored value is sent under the field's header, after its prefix, and says where it was declared", () =>
    Effect.gen(function* () {
      const patch = yield* resolve(
        linear({
          credentials: [
            {
              name: "API_KEY",
              headerName: "Authorization",
              valuePrefix: "Bearer ",
              place: { file: "/a.json", line: 3, column: 5, path: "userConfig.API_KEY" }
            }
          ]
        })
      )
      const [field] = patch.set
      assert(field !== undefined)
      assert.strictEqual(field.name, "Authorization")
      assert.strictEqual(Redacted.value(field.value), `Bearer ${CANARY}`)
      assert.strictEqual(field.declared, "credential API_KEY · /a.json:3:5 (userConfig.API_KEY)")
      assert.notInclude(JSON.stringify(patch), CANARY)
    }).pipe(Effect.provide(services([stored])))
  )

  it.effect("a field without a value sends its default; a stored value takes its place", () =>
    Effect.gen(function* () {
      const of = linear({
        credentials: [
          { name: "TENANT", headerName: "X-Tenant", valuePrefix: "t-", default: "acme" },
          { name: "API_KEY", headerName: "X-Api-Key", default: "none" }
        ]
      })
      assert.deepStrictEqual(yield* fields(of), [
        ["X-Tenant", "t-acme"],
        ["X-Api-Key", CANARY]
      ])
    }).pipe(Effect.provide(services([stored])))
  )

  it.effect("a field that is neither required nor set is left out, and says how to set it", () =>
    Effect.gen(function* () {
      const patch = yield* resolve(linear())
      assert.deepStrictEqual(patch.set, [])
      assert.deepStrictEqual(
        patch.omitted.map(({ name, why }) => [name, why]),
        [["X-Api-Key", "API_KEY is not set; set it with: letterhead credential set linear API_KEY"]]
      )
    }).pipe(Effect.provide(services()))
  )

  it.effect("required fields that are not set fail together, and the error names the command", () =>
    Effect.gen(function* () {
      const one = { name: "API_KEY", headerName: "X-Api-Key", required: true }
      const error = yield* Effect.flip(resolve(linear({ credentials: [one] })))
      assert.instanceOf(error.reason, CredentialMissing)
      assert.include(error.message, "letterhead credential set linear API_KEY")
      const both = yield* Effect.flip(
        resolve(linear({ credentials: [one, { name: "ORG", headerName: "X-Org", required: true }] }))
      )
      assert.include(
        both.message,
        "API_KEY, ORG are required and not set; set them with: letterhead credential set linear"
      )
    }).pipe(Effect.provide(services()))
  )

  it.effect("F50: a stored value that is no header value is refused by rule, and not shown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(resolve(linear()))
      assert.instanceOf(error.reason, HeaderInvalid)
      assert.include(error.message, "no line break")
      assert.notInclude(error.message, CANARY)
    }).pipe(Effect.provide(services([{ ...stored, value: `${CANARY}\r\nX-Evil: 1` }])))
  )

  const elsewhere: ReadonlyArray<readonly [what: string, options: EntryOptions, call: CallContext]> = [
    ["another URL", { url: "https://evil.example.com/mcp" }, local],
    ["another port", { url: "https://mcp.example.com:8443/mcp" }, local],
    ["http in place of https", { url: "http://mcp.example.com/mcp" }, local],
    ["a host that begins alike", { url: "https://mcp.example.com.evil.example.com/mcp" }, local],
    ["another server name", { name: "other" }, local],
    ["another principal", {}, { principal: "ada" }]
  ]
  for (const [what, options, call] of elsewhere) {
    it.effect(`F81: an entry with ${what} finds nothing`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* fields(linear(options), call), [])
      }).pipe(Effect.provide(services([stored])))
    )
  }

  it.effect(
    "another path of the same origin finds the value, and a variable in the URL decides which origin it is",
    () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* fields(linear({ url: "https://mcp.example.com/v2/mcp" })), [
          ["X-Api-Key", CANARY]
        ])
        const of = linear({ url: "https://${HOST}/mcp" })
        const at = (host: string) => Effect.provideService(fields(of), Environment, { HOST: host })
        assert.deepStrictEqual(yield* at("mcp.example.com"), [["X-Api-Key", CANARY]])
        assert.deepStrictEqual(yield* at("evil.example.com"), [])
      }).pipe(Effect.provide(services([stored])))
  )

  for (const scope of ["project", "remote"] as const) {
    it.effect(`F81: for a ${scope} entry that nobody approved the store is not even read`, () => {
      let reads = 0
      const counting = Layer.effect(
        SecretStore,
        Effect.map(SecretStore, (store) => ({
          ...store,
          get: (of: Parameters<typeof store.get>[0]) => {
            reads++
            return store.get(of)
          }
        }))
      ).pipe(Layer.provide(MockSecretStore.layer([stored])))
      return Effect.gen(function* () {
        const error = yield* Effect.flip(resolve(linear({ scope })))
        assert.instanceOf(error, HeaderError)
        assert.instanceOf(error.reason, NotTrusted)
        assert.include(error.message, "stored credential: API_KEY, sent as X-Api-Key")
        assert.strictEqual(reads, 0)
      }).pipe(Effect.provide(Layer.provideMerge(counting, services())))
    })
  }

  it.effect("a refusal asks the store again, and means a retry only where it has something new", () =>
    Effect.gen(function* () {
      const source = yield* CredentialSource.make
      const store = yield* SecretStore
      const of = linear({ credentials: [{ name: "API_KEY", headerName: "Authorization", valuePrefix: "Bearer " }] })
      const sent = Result.getOrThrow(merge([yield* source.resolve(of, local, nothingSoFar)]))
      const challenge = Effect.suspend(() => {
        assert(source.challenge !== undefined)
        return source.challenge(of, local, sent, { status: 401 })
      })
      assert.isFalse(yield* challenge)
      yield* store.set(key({ principal: "ada" }), Redacted.make("of somebody else"))
      assert.isFalse(yield* challenge)
      yield* store.set(key({}), Redacted.make("rotated"))
      assert.isTrue(yield* challenge)
      yield* store.remove(key({}))
      assert.isFalse(yield* challenge)
      assert.isFalse(yield* source.challenge?.(entry(), local, sent, { status: 401 }) ?? Effect.succeed(true))
    }).pipe(Effect.provide(services([stored])))
  )

  it.effect("a value that was set after the refused request was sent is something new", () =>
    Effect.gen(function* () {
      const source = yield* CredentialSource.make
      const store = yield* SecretStore
      const sent = Result.getOrThrow(merge([yield* source.resolve(linear(), local, nothingSoFar)]))
      yield* store.set(key({}), Redacted.make(CANARY))
      assert(source.challenge !== undefined)
      assert.isTrue(yield* source.challenge(linear(), local, sent, { status: 401 }))
    }).pipe(Effect.provide(services()))
  )
})
