/** F50 for stdio servers: what stands in the environment of a program is in nothing that it makes us say. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Clients from "../../../mcp/test/support/Clients.ts"
import { ADDED, CALL, PASSWORD, QUOTED, TIMEOUT, VARIABLE, expectNothing, outcome, scene } from "./Canary.ts"

const ENVIRONMENT = {
  API_TOKEN: ADDED,
  FROM_OUTSIDE: "${SECRET}",
  QUOTED,
  DATABASE_URL: `postgres://ada:${PASSWORD}@127.0.0.1/db`
}

/** What a program says that tells everybody how it was started. */
const SAID = [
  `starting with ${ADDED} and ${VARIABLE}`,
  JSON.stringify({ API_TOKEN: ADDED, quoted: QUOTED }),
  `error: password ${PASSWORD} refused for postgres://ada:${PASSWORD}@127.0.0.1/db`,
  `Authorization: Bearer ${ADDED}`,
  `${QUOTED} ${encodeURIComponent(QUOTED)}`,
  ""
].join("\n")

describe.concurrent("a program that fails", () => {
  it.live(
    "F50: no program of a stdio server shows one, whatever it writes and however it ends",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith } = yield* scene
        const attempt = Effect.fnUntraced(function* (
          what: string,
          behaviour: StdioServerFixture.StdioBehaviour,
          tool: readonly [name: string, args: Readonly<Record<string, unknown>>] | undefined,
          succeeds = false
        ) {
          const fixture = yield* StdioServerFixture.make(behaviour)
          const target = entry({
            directory: fixture.directory,
            stdio: { command: fixture.command, args: fixture.args, env: ENVIRONMENT },
            connectTimeout: behaviour.silent === true ? 1_500 : 15_000
          })
          const [name, args] = tool ?? ["echo", {}]
          const call = Effect.gen(function* () {
            const connection = yield* (yield* McpTransport.McpTransport).connect("example", CALL)
            return yield* withCall(connection.callTool(name, args, { timeout: 5_000 }), CALL)
          })
          const ofClient = (kind: Clients.ClientKind) =>
            Effect.gen(function* () {
              const client = yield* Clients.connect(kind, yield* McpTransport.McpTransport, CALL)
              return yield* Effect.tryPromise({
                try: () => client.callTool(name, args, McpTransport.requestOptions(CALL, { timeout: 5_000 })),
                catch: (error) => [error, ...client.errors]
              })
            }).pipe(Effect.timeout(6_000))
          const run = <A, E>(face: Effect.Effect<A, E, McpTransport.McpTransport | Scope.Scope>) =>
            Effect.map(
              evidence.observe(what, Effect.scoped(Effect.provide(face, layerWith({ servers: [target] })))),
              (exit) => assert.strictEqual(Exit.isSuccess(exit), succeeds, what)
            )
          yield* run(call)
          if (behaviour.silent !== true) {
            yield* run(ofClient("SDK 1"))
            yield* run(ofClient("SDK 2"))
          }
          assert.isAbove(yield* fixture.starts, 0, what)
        }, Effect.scoped)

        yield* Effect.all(
          [
            attempt("it exits", { stderr: SAID, exits: 3 }, undefined),
            attempt("it is silent", { stderr: SAID, silent: true }, undefined),
            attempt("it prints", { stderr: SAID, stdout: SAID }, undefined, true),
            attempt("a call exits", { stderr: SAID }, ["exit", { code: 1 }]),
            attempt("a call kills", { stderr: SAID }, ["kill", {}]),
            attempt("a call floods", { stderr: SAID }, ["flood", {}])
          ],
          { concurrency: 3, discard: true }
        )
        for (const [command, env, tag] of [
          ["no-such-program", ENVIRONMENT, "NotFound"],
          ["/bin/sh", { ...ENVIRONMENT, OTHER: "${UNSET}" }, "VariableMissing"]
        ] as const) {
          const target = entry({ directory: folder, stdio: { command, args: [], env } })
          const exit = yield* evidence.observe(
            tag,
            Effect.flatMap(McpTransport.McpTransport, (transport) => transport.connect("example")).pipe(
              Effect.scoped,
              Effect.provide(layerWith({ servers: [target] }))
            )
          )
          assert.strictEqual(outcome(exit), tag)
        }
        expectNothing(evidence)
        const counts = evidence.counts()
        for (const channel of ["log", "error", "arguments"] as const) assert.isAbove(counts[channel], 0, channel)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
