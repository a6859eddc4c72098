/** F50 for the keychain: a stored secret is in the keychain, or in a file of mode 0600 where there is none; rows F70, F71. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { type SecretService, bareEnvironment, start, unavailable } from "../../../keychain/test/SecretService.ts"
import { CALL, STORED, TIMEOUT, type Scene, expectNothing, outcome, resolve, scene } from "./Canary.ts"
import { storeCredential } from "./CanaryRequests.ts"

const URL_OF_SERVER = "https://mcp.example.com/mcp"

const TARGET = entry({
  url: URL_OF_SERVER,
  credentials: [{ name: "API_KEY", headerName: "X-Api-Key", sensitive: true, required: true }]
})

/** Stores, lists and sends a credential where this environment leads; how each of that ended. */
const use = ({ evidence, layerWith }: Scene, what: string, environment: SecretService["environment"]) => {
  const layer = layerWith({ credentialStorage: "auto", environment })
  const observed = <A, E>(part: Effect.Effect<A, E, SecretStore | HeaderResolver>) =>
    Effect.map(evidence.observe(what, Effect.provide(part, layer)), outcome)
  return Effect.all([
    observed(storeCredential(URL_OF_SERVER)),
    observed(Effect.flatMap(SecretStore, (store) => store.list)),
    observed(resolve(TARGET, CALL))
  ])
}

/** What the files hold in which secrets lie that no keychain keeps; only their owner may read them. */
const stored = ({ folder }: Scene): string => {
  const directory = join(folder, "credentials")
  if (!existsSync(directory)) return ""
  const files = readdirSync(directory).map((name) => join(directory, name))
  for (const file of files) assert.strictEqual(statSync(file).mode & 0o777, 0o600, file)
  return files.map((file) => readFileSync(file, "utf8")).join("\n")
}

/** Nothing of it is anywhere else. */
const expectNowhereElse = Effect.fnUntraced(function* ({ evidence, folder }: Scene) {
  for (const name of readdirSync(folder, { withFileTypes: true })) {
    if (name.isDirectory() && name.name !== "credentials") yield* evidence.keepFiles(join(folder, name.name))
  }
  expectNothing(evidence)
})

describe.concurrent("a stored secret", () => {
  it.live(
    "F50, F70: is in a file of mode 0600 and nowhere else where there is no keychain, or one that hangs",
    () =>
      Effect.gen(function* () {
        const none = yield* scene
        const bare = bareEnvironment(none.folder)
        assert.deepStrictEqual(yield* use(none, "no keychain", bare), ["Success", "Success", "Success"])
        assert.include(stored(none), STORED)
        yield* expectNowhereElse(none)

        const hanging = yield* scene
        const socket = join(hanging.folder, "bus")
        yield* Effect.acquireRelease(
          Effect.callback<ReturnType<typeof createServer>>((resume) => {
            const server = createServer(() => undefined)
            server.listen(socket, () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        const environment = { ...bareEnvironment(hanging.folder), DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` }
        assert.deepStrictEqual(yield* use(hanging, "hanging", environment), ["Success", "Success", "Success"])
        assert.include(stored(hanging), STORED)
        yield* expectNowhereElse(hanging)
        assert.isAbove(hanging.evidence.counts().log, 0)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live.skipIf(unavailable !== undefined)(
    "F50, F70, F71: is in the keychain and nowhere else, and in no error where that is locked or gone",
    () =>
      Effect.gen(function* () {
        const stage = yield* scene
        const service = yield* start
        assert.deepStrictEqual(yield* use(stage, "keychain", service.environment), ["Success", "Success", "Success"])
        assert.notInclude(stored(stage), STORED)
        yield* service.lock
        yield* stage.evidence.observe(
          "locked",
          Effect.provide(
            resolve(TARGET, CALL),
            stage.layerWith({ credentialStorage: "auto", environment: service.environment })
          )
        )
        yield* service.kill
        const layer = stage.layerWith({ credentialStorage: "auto", environment: service.environment })
        const gone = yield* stage.evidence.observe("gone", Effect.provide(resolve(TARGET, CALL), layer))
        assert.strictEqual(outcome(gone), "SecretStoreFailed")
        yield* expectNowhereElse(stage)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
