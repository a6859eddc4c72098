import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { ExitedWith, HeaderError, NotTrusted } from "@letterhead/core/headers/HeaderError"
import { none } from "@letterhead/core/headers/ResolvedHeaders"
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import { type HeaderSource, nothingSoFar } from "@letterhead/core/sources/HeaderSource"
import * as HelperSource from "@letterhead/core/sources/HelperSource"
import { entry, type HelperOptions } from "@letterhead/testing/EntryFixture"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"

/** A runner that prints a counted token, valid for `lifetime` milliseconds. */
const runner = (lifetime?: number) =>
  Layer.sync(HelperRunner, () => {
    let runs = 0
    return {
      run: () =>
        Effect.map(Clock.currentTimeMillis, (now) => ({
          headers: [["X-Token", Redacted.make(`token-${++runs}`)] as const],
          expired: false,
          ...(lifetime === undefined ? {} : { expires: now + lifetime })
        }))
    }
  })

const failing = (error: HeaderError) => Layer.succeed(HelperRunner, { run: () => Effect.fail(error) })

const helped = (options: Partial<HelperOptions> = {}) =>
  entry({ helper: { command: ["headers", "--now"], ...options } })

const resolveWith = (source: HeaderSource, server: ReturnType<typeof entry>, principal = "local") =>
  source.resolve(server, { principal }, nothingSoFar)

const tokens = Effect.fnUntraced(function* (
  source: HeaderSource,
  server: ReturnType<typeof entry>,
  ...principals: ReadonlyArray<string>
) {
  const values: Array<string> = []
  for (const principal of principals) {
    const field = (yield* resolveWith(source, server, principal)).set[0]
    values.push(field === undefined ? "" : Redacted.value(field.value))
  }
  return values
})

it.effect("an entry without a helper yields nothing and takes no challenge", () =>
  Effect.gen(function* () {
    const source = yield* HelperSource.make
    assert.deepStrictEqual((yield* resolveWith(source, entry())).set, [])
    assert.isFalse(yield* source.challenge?.(entry(), local, none, { status: 401 }) ?? Effect.succeed(true))
  }).pipe(Effect.provide(runner()))
)

it.effect("provenance names the command and its place", () =>
  Effect.gen(function* () {
    const patch = yield* resolveWith(yield* HelperSource.make, helped())
    assert.strictEqual(
      patch.set[0]?.declared,
      "headers --now · /letterhead.json:1:1 (mcpServers.example.headersHelper)"
    )
  }).pipe(Effect.provide(runner()))
)

it.effect("an answer is good until expires less 10 % of the lifetime, and less a minute at most", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* resolveWith(yield* HelperSource.make, helped())).expiresAt, 90_000)
  }).pipe(Effect.provide(runner(100_000)))
)

it.effect("the margin before expires is a minute for long lifetimes", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* resolveWith(yield* HelperSource.make, helped())).expiresAt, 7_200_000 - 60_000)
  }).pipe(Effect.provide(runner(7_200_000)))
)

it.effect("cache never: each connection runs the helper", () =>
  Effect.gen(function* () {
    const source = yield* HelperSource.make
    assert.deepStrictEqual(yield* tokens(source, helped(), "ada", "ada"), ["token-1", "token-2"])
  }).pipe(Effect.provide(runner(100_000)))
)

it.effect("cache expires: a later connection of the same principal uses the answer while it is good", () =>
  Effect.gen(function* () {
    const source = yield* HelperSource.make
    const server = helped({ cache: "expires" })
    assert.deepStrictEqual(yield* tokens(source, server, "ada", "ada", "bob"), ["token-1", "token-1", "token-2"])
    yield* TestClock.adjust(90_000)
    assert.deepStrictEqual(yield* tokens(source, server, "ada"), ["token-3"])
  }).pipe(Effect.provide(runner(100_000)))
)

it.effect("cache in seconds: for so long, and not beyond expires", () =>
  Effect.gen(function* () {
    const source = yield* HelperSource.make
    const server = helped({ cache: 30 })
    assert.deepStrictEqual(yield* tokens(source, server, "ada", "ada"), ["token-1", "token-1"])
    yield* TestClock.adjust(30_000)
    assert.deepStrictEqual(yield* tokens(source, server, "ada"), ["token-2"])
  }).pipe(Effect.provide(runner(100_000)))
)

it.effect("a challenge forgets the cached answer", () =>
  Effect.gen(function* () {
    const source = yield* HelperSource.make
    const server = helped({ cache: 3_600 })
    yield* resolveWith(source, server)
    assert.isTrue(yield* source.challenge?.(server, local, none, { status: 401 }) ?? Effect.succeed(false))
    assert.deepStrictEqual(yield* tokens(source, server, "local"), ["token-2"])
  }).pipe(Effect.provide(runner()))
)

const exited = new HeaderError({
  server: "example",
  source: "helper",
  reason: new ExitedWith({ code: 3, withheld: [] })
})

it.effect("F29: a helper that fails is the connection's failure", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* Effect.flip(resolveWith(yield* HelperSource.make, helped())), exited)
  }).pipe(Effect.provide(failing(exited)))
)

it.effect('F29: onFailure "static" connects with the other sources', () =>
  Effect.gen(function* () {
    const patch = yield* resolveWith(yield* HelperSource.make, helped({ onFailure: "static" }))
    assert.deepStrictEqual(patch.set, [])
  }).pipe(Effect.provide(failing(exited)))
)

const untrusted = new HeaderError({
  server: "example",
  source: "helper",
  reason: new NotTrusted({ server: "example", configuration: "/p", digest: "sha256:0", subject: [], changes: [] })
})

it.effect('F31: onFailure "static" does not overlook a helper that nobody approved', () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(resolveWith(yield* HelperSource.make, helped({ onFailure: "static" })))
    assert.strictEqual(error, untrusted)
  }).pipe(Effect.provide(failing(untrusted)))
)

it.effect('an Authorization of the helper beside "auth": "oauth" is an error that names both places', () =>
  Effect.gen(function* () {
    const server = entry({ auth: "oauth", helper: { command: ["headers"], onFailure: "static" } })
    const { reason } = yield* Effect.flip(resolveWith(yield* HelperSource.make, server))
    assert.strictEqual(reason._tag, "HeaderInvalid")
    assert.include(reason.message, "(mcpServers.example.headersHelper)")
    assert.include(reason.message, '(mcpServers.example) says "auth": "oauth"')
    assert.notInclude(reason.message, "canary")
  }).pipe(
    Effect.provide(
      Layer.succeed(HelperRunner, {
        run: () =>
          Effect.succeed({ headers: [["authorization", Redacted.make("Bearer canary")] as const], expired: false })
      })
    )
  )
)
