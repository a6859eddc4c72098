/** F50 where many share: a run of a helper (F25 to F28), a connection (F48, F53, F54, F82), a server (F84). */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import type { Fault } from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { ADDED, CALL, HEADER, INCOMING, PRINTED, TIMEOUT, expectNothing, outcome, resolve, scene } from "./Canary.ts"
import { CARRYING, carrier, expectCarried, repeating, storeCredential } from "./CanaryRequests.ts"

const isCall = ({ rpcMethod }: RecordedRequest) => rpcMethod === "tools/call"

const refusal = (more: Partial<Fault> = {}): Fault => ({
  status: 401,
  headers: { "www-authenticate": `Bearer realm="${PRINTED}"` },
  body: repeating,
  when: isCall,
  ...more
})

const times = <A, E, R>(count: number, effect: (index: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), (_, index) => Effect.exit(effect(index)), { concurrency: "unbounded" })

/** One of two sessions, each with an incoming header of its own. */
const session = (index: number) => ({
  ...CALL,
  sessionId: `s-${index % 2}`,
  incoming: [{ name: "x-incoming", value: Redacted.make(`${INCOMING}${index % 2}`) }]
})

describe.concurrent("what many share", () => {
  it.live(
    "F50: no run of a helper that many wait for shows one, whether it succeeds, fails or loses who began it",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, write } = yield* scene
        const good = `echo '{"Authorization": "Bearer ${PRINTED}"}'`
        const helperOf = (name: string, script: string) => ({
          command: [write(`${name}.sh`, `#!/bin/sh\necho 'with ${PRINTED}' >&2\n${script}\n`, 0o755)],
          environment: { API_TOKEN: ADDED }
        })
        const target = (name: string, script: string) =>
          entry({ name, directory: folder, headers: { "X-Static": HEADER }, helper: helperOf(name, script) })
        const rows = [
          ["F25", times(100, () => resolve(target("good", `sleep 0.1; ${good}`))), "Success"],
          ["F25", times(100, () => resolve(target("bad", `sleep 0.1; ${good}; exit 3`))), "ExitedWith"],
          [
            "F26",
            Effect.gen(function* () {
              const first = yield* Effect.forkChild(resolve(target("slow", `sleep 0.4; ${good}`)))
              yield* Effect.sleep(100)
              const others = yield* Effect.forkChild(times(5, () => resolve(target("slow", `sleep 0.4; ${good}`))))
              yield* Effect.sleep(50)
              yield* Fiber.interrupt(first)
              return yield* Fiber.join(others)
            }),
            "Success"
          ],
          [
            "F27",
            Effect.forEach([0, 20, 1_050], (pause) =>
              Effect.exit(Effect.delay(resolve(target("failing", `${good}; kill -9 $$`)), pause))
            ),
            "KilledBy"
          ],
          [
            "F28",
            Effect.gen(function* () {
              const helper = helperOf("many", good)
              const headers = { "X-Static": HEADER }
              return yield* times(500, (index) =>
                resolve(entry({ name: `s-${index}`, directory: folder, headers, helper }))
              )
            }),
            "Success"
          ]
        ] as const
        for (const [row, effect, tag] of rows) {
          const exit = yield* evidence.observe(row, Effect.provide(effect, layerWith()))
          const exits = Exit.isSuccess(exit) ? exit.value : [exit]
          // What was not observed as a failure is looked at as a result is.
          assert.deepStrictEqual([...new Set(exits.map(outcome))], [tag], row)
        }
        expectNothing(evidence)
        assert.isAbove(evidence.counts().log, 0)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50: no connection that sessions share shows one, whoever is refused, renewed, cancelled or somebody else",
    () =>
      Effect.gen(function* () {
        const stage = yield* scene
        const { evidence, folder, layerWith, write } = stage
        /** A helper whose second run takes longer than the call waits. */
        const slow = {
          command: [
            write(
              "slow.sh",
              `#!/bin/sh\n[ -e "${folder}/ran" ] && sleep 5\ntouch "${folder}/ran"\necho '{"Authorization": "Bearer ${PRINTED}"}'\n`,
              0o755
            )
          ]
        }
        const run = Effect.fnUntraced(function* (
          row: string,
          use: (
            server: LoopbackServer.LoopbackServer,
            call: (context: typeof CARRYING, timeout?: number) => Effect.Effect<unknown, unknown>
          ) => Effect.Effect<unknown, unknown>,
          more: Parameters<typeof carrier>[2] = {}
        ) {
          const server = yield* LoopbackServer.make({ era: "modern" })
          const layer = layerWith({ servers: [carrier(stage, server.url, more)] })
          const program = Effect.gen(function* () {
            const transport = yield* McpTransport
            yield* storeCredential(server.url)
            yield* storeCredential(server.url, "bob")
            return yield* use(server, (context, timeout = 20_000) =>
              Effect.scoped(
                Effect.flatMap(transport.connect("example", context), (connection) =>
                  withCall(connection.callTool("echo", { session: String(context.sessionId) }, { timeout }), context)
                )
              )
            )
          })
          const exit = yield* evidence.observe(row, Effect.provide(program, layer))
          return { exit, calls: (yield* server.requests).filter(isCall) }
        })

        const shared = yield* run("F48", (_server, call) => times(200, (index) => call(session(index))))
        assert.strictEqual(shared.calls.length, 200)
        for (const { headers, sessionMark } of shared.calls) {
          assert.strictEqual(headers.get("x-incoming"), `${INCOMING}${sessionMark?.slice(2)}`)
        }
        const older = yield* run("F53", (server, call) =>
          Effect.gen(function* () {
            yield* server.respondNext(refusal())
            yield* server.respondNext(refusal({ delay: 300 }))
            return yield* times(2, () => call(CARRYING))
          })
        )
        assert.strictEqual(older.calls.length, 4)
        for (const request of older.calls) expectCarried(request, "F53")
        const storm = yield* run("F54", (server, call) =>
          Effect.andThen(
            server.respondNext(refusal({ times: 1_000 })),
            times(100, () => call(CARRYING))
          )
        )
        assert.strictEqual(storm.calls.length, 200)
        const late = yield* run(
          "F82",
          (server, call) => Effect.andThen(server.respondNext(refusal({ times: 10 })), call(CARRYING, 500)),
          { helper: slow }
        )
        assert.strictEqual(outcome(late.exit), "CallTimedOut")
        const second = yield* run("F84", (_server, call) =>
          Effect.all([call(CARRYING), call({ ...CARRYING, principal: "bob" })])
        )
        assert.strictEqual(outcome(second.exit), "Success")
        const mixed = yield* run("F84", (server, call) =>
          Effect.andThen(
            server.respondNext(refusal({ times: 10 })),
            call({ ...CARRYING, principal: "bob", callId: "c-2" })
          )
        )
        assert.strictEqual(outcome(mixed.exit), "Unauthorized")
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
