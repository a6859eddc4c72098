/** Hooks as modules: how they are loaded, and which are not. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import type { HookPlugin } from "@letterhead/core/sources/HookModule"
import * as HookSource from "@letterhead/core/sources/HookSource"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { HeaderError, NotTrusted } from "@letterhead/core/headers/HeaderError"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { services, hooked, before, apply } from "./HookModules.ts"

it.effect("a hook in TypeScript, typed as the request types it or by the exported types, runs as it is", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const directory = yield* fs.makeTempDirectoryScoped()
    const file = path.join(directory, "hook.ts")
    yield* fs.writeFileString(
      file,
      `import type { HookPlugin } from "letterhead/hook"
      type Input = { server: string; tool: string; sessionID: string; callID: string }
      export default {
        "mcp.call.before": async (input: Input, output: { headers: Record<string, string> }): Promise<void> => {
          output.headers["X-Session-Id"] = input.sessionID
          output.headers["X-Call-Id"] = input.callID as string
        }
      } satisfies HookPlugin`
    )
    const resolved = yield* apply(yield* HookSource.make, entry({ hooks: [file], directory }))
    assert.deepStrictEqual(resolved.reveal(), [
      ["X-Session-Id", "session-1"],
      ["X-Call-Id", "call-1"]
    ])
    // The same for the compiler: what the request writes is a hook.
    const requested = {
      "mcp.call.before": async (
        _input: { server: string; tool: string; sessionID: string; callID: string },
        output: { headers: Record<string, string> }
      ): Promise<void> => {
        delete output.headers["X-Gone"]
      }
    } satisfies HookPlugin
    assert.isFunction(requested["mcp.call.before"])
  }).pipe(Effect.provide(services))
)

it.effect("a module without the hook, and one that does not exist, are errors that name it", () =>
  Effect.gen(function* () {
    const server = yield* hooked("export default {}")
    const error = yield* Effect.flip(apply(yield* HookSource.make, server))
    assert.include(error.message, `has no default export with a function "mcp.call.before"`)
    const missing = yield* Effect.flip(apply(yield* HookSource.make, entry({ hooks: ["/nowhere/hook.mjs"] })))
    assert.include(missing.message, "/nowhere/hook.mjs could not be loaded (ERR_MODULE_NOT_FOUND)")
  }).pipe(Effect.provide(services))
)

it.effect("an optional module without the hook is left alone, and the others still run", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      "export const plugin = () => ({})",
      "export default async () => ({})",
      before(`output.headers["X-Third"] = "3"`)
    )
    const resolved = yield* apply(yield* HookSource.make, {
      ...server,
      hooks: server.hooks.map((hook) => ({ ...hook, optional: true as const }))
    })
    assert.deepStrictEqual(resolved.reveal(), [["X-Third", "3"]])
    const wrong = yield* hooked(`export default { "mcp.call.before": 5 }`)
    const error = yield* Effect.flip(
      apply(yield* HookSource.make, {
        ...wrong,
        hooks: wrong.hooks.map((hook) => ({ ...hook, optional: true as const }))
      })
    )
    assert.include(error.message, "has no default export with a function")
  }).pipe(Effect.provide(services))
)

it.effect("F31: a module that is not trusted is not loaded", () =>
  Effect.gen(function* () {
    const server = yield* hooked(`globalThis.loadedUntrusted = true; ${before("")}`)
    const error = yield* Effect.flip(apply(yield* HookSource.make, server))
    assert.strictEqual(error.reason._tag, "NotTrusted")
    assert.isFalse("loadedUntrusted" in globalThis)
  }).pipe(
    Effect.provide(
      Layer.merge(
        NodeServices.layer,
        Layer.succeed(TrustGate, {
          require: (server) =>
            Effect.fail(
              new HeaderError({
                server: server.name,
                reason: new NotTrusted({
                  server: server.name,
                  configuration: server.origin.source,
                  digest: "sha256:0",
                  subject: [],
                  changes: []
                })
              })
            )
        })
      )
    )
  )
)
