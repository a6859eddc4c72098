import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import { merge, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import { Environment } from "@letterhead/core/server/Environment"
import { nothingSoFar } from "@letterhead/core/sources/HeaderSource"
import * as StaticSource from "@letterhead/core/sources/StaticSource"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Result from "effect/Result"

const asked: Array<string> = []
const services = Layer.merge(
  NodeServices.layer,
  Layer.succeed(TrustGate, {
    require: (server) =>
      Effect.sync(() => {
        asked.push(server.name)
        return { passEnv: [], verify: Effect.void }
      })
  })
)

const resolve = Effect.fnUntraced(function* (server: ReturnType<typeof entry>, environment: Environment = {}) {
  const source = yield* StaticSource.make
  const patch = yield* Effect.provideService(source.resolve(server, local, nothingSoFar), Environment, environment)
  return { source, patch, resolved: Result.getOrThrow(merge([patch])) }
})

const sent = (resolved: ResolvedHeaders) => Object.fromEntries(resolved.reveal())

it.effect("templates are evaluated at connect", () =>
  Effect.gen(function* () {
    const server = entry({ headers: { "X-Key": "k-${KEY}", "X-Tenant": "${TENANT:-acme}", "X-Env": "{env:KEY}" } })
    const { resolved } = yield* resolve(server, { KEY: "1" })
    assert.deepStrictEqual(sent(resolved), { "X-Key": "k-1", "X-Tenant": "acme", "X-Env": "1" })
  }).pipe(Effect.provide(services))
)

it.effect("a file is read without its last line break, from the folder of the configuration", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const directory = yield* fs.makeTempDirectoryScoped()
    yield* fs.writeFileString(path.join(directory, "token"), "from-a-file\n")
    const { resolved } = yield* resolve(entry({ directory, headers: { "X-Token": "Bearer {file:./token}" } }))
    assert.deepStrictEqual(sent(resolved), { "X-Token": "Bearer from-a-file" })
  }).pipe(Effect.provide(services))
)

it.effect("a value that turns out empty is not sent, and says so", () =>
  Effect.gen(function* () {
    const { resolved } = yield* resolve(entry({ headers: { "X-Optional": "${NOT_SET:-}" } }))
    assert.deepStrictEqual(resolved.reveal(), [])
    assert.strictEqual(resolved.provenance[0]?.notSent, "its value is empty")
  }).pipe(Effect.provide(services))
)

it.effect("F79: a variable that is not set is an error that names it and its place", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(resolve(entry({ headers: { "X-Key": "${NOT_SET}" } })))
    assert.strictEqual(error.reason._tag, "VariableMissing")
    assert.include(error.message, "NOT_SET at /letterhead.json:1:1 (mcpServers.example.headers.X-Key)")
  }).pipe(Effect.provide(services))
)

it.effect("F79: a variable with a line break is an error that does not show the value", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(
      resolve(entry({ headers: { "X-Key": "${KEY}" } }), { KEY: "canary\r\nX-Injected: secret" })
    )
    assert.strictEqual(error.reason._tag, "HeaderInvalid")
    assert.include(error.message, "a value has no line break")
    assert.notInclude(error.message, "canary")
  }).pipe(Effect.provide(services))
)

it.effect("a protocol-owned name is an error that names the source", () =>
  Effect.gen(function* () {
    for (const name of ["Mcp-Session-Id", "host", "Content-Type", "X-Forwarded-For", "mcp-param-region", "TE"]) {
      const error = yield* Effect.flip(resolve(entry({ headers: { [name]: "value" } })))
      assert.strictEqual(error.reason._tag, "HeaderForbidden")
      assert.include(error.message, "source static")
      assert.include(error.message, name)
    }
  }).pipe(Effect.provide(services))
)

it.effect("the trust gate is asked where a value comes from outside the text, and not otherwise", () =>
  Effect.gen(function* () {
    asked.length = 0
    yield* resolve(entry({ headers: { "X-Plain": "plain" } }))
    assert.deepStrictEqual(asked, [])
    yield* resolve(entry({ headers: { "X-Key": "${KEY}" } }), { KEY: "1" })
    assert.deepStrictEqual(asked, ["example"])
  }).pipe(Effect.provide(services))
)

it.effect("a challenge retries only where the variables or files now give another value", () =>
  Effect.gen(function* () {
    const server = entry({ headers: { Authorization: "Bearer ${TOKEN}" } })
    const { source, resolved } = yield* resolve(server, { TOKEN: "old" })
    const challenge = (environment: Environment) =>
      Effect.provideService(
        source.challenge?.(server, local, resolved, { status: 401 }) ?? Effect.succeed(false),
        Environment,
        environment
      )
    assert.strictEqual(yield* challenge({ TOKEN: "old" }), false)
    assert.strictEqual(yield* challenge({ TOKEN: "new" }), true)
  }).pipe(Effect.provide(services))
)
