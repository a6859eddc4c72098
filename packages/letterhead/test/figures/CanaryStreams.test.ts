/** F50 for streams: rows F47, F59 and F61. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { DEFAULTS, HttpLimits } from "@letterhead/mcp/http/HttpLimits"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HEADER, IN_URL, PRINTED, TIMEOUT, expectNothing, scene } from "./Canary.ts"
import { CARRYING, carrier, expectCarried, repeating, storeCredential } from "./CanaryRequests.ts"

const ENDPOINTS = [
  `https://${PRINTED}.example.com/messages?key=${HEADER}`,
  `//${PRINTED}.example.com/messages`,
  `http://someone:${PRINTED}@127.0.0.1/messages`,
  `data:${PRINTED}`,
  `${PRINTED}:${HEADER}`,
  `/.well-known/${PRINTED}?key=${IN_URL}`,
  `http://[${PRINTED}`
]

describe.concurrent("a stream that fails", () => {
  it.live(
    "F50: no endpoint that a stream names, and no server that refuses one, shows one",
    () =>
      Effect.gen(function* () {
        const stage = yield* scene
        const { evidence, layerWith } = stage
        const attempt = Effect.fnUntraced(function* (
          row: string,
          server: LoopbackSseServer.LoopbackSseServer,
          transport: "sse" | "auto"
        ) {
          const servers = [carrier(stage, server.url, { transport, connectTimeout: 1_000 })]
          const program = Effect.gen(function* () {
            yield* storeCredential(server.url)
            const connection = yield* (yield* McpTransport).connect("example", CARRYING)
            return yield* withCall(connection.callTool("echo", {}, { timeout: 500 }), CARRYING)
          })
          const exit = yield* evidence.observe(row, Effect.scoped(Effect.provide(program, layerWith({ servers }))))
          assert.isTrue(Exit.isFailure(exit), row)
          expectCarried((yield* server.requests)[0], row)
        })
        yield* Effect.forEach(
          ENDPOINTS,
          (endpoint) =>
            Effect.gen(function* () {
              const server = yield* LoopbackSseServer.make({ endpoint: () => endpoint })
              yield* attempt(`F47 ${endpoint}`, server, "sse")
            }),
          { concurrency: 4 }
        )
        yield* Effect.forEach(
          [400, 401, 403, 404, 405, 429, 500],
          (status) =>
            Effect.gen(function* () {
              const server = yield* LoopbackSseServer.make({ endpoint: () => undefined })
              yield* server.respondNext({
                status,
                body: repeating,
                times: 10,
                when: ({ httpMethod }) => httpMethod === "POST"
              })
              yield* server.respondNext({
                status: 418,
                body: repeating,
                times: 10,
                when: ({ httpMethod }) => httpMethod === "GET"
              })
              yield* attempt(`F61 ${status}`, server, "auto")
            }),
          { concurrency: 4 }
        )
        // A POST that is refused, and a stream that ends, once it is connected.
        yield* Effect.forEach(
          [401, 403, 500] as const,
          (status) =>
            Effect.gen(function* () {
              const server = yield* LoopbackSseServer.make()
              yield* server.respondNext({
                status,
                body: repeating,
                times: 10,
                when: ({ rpcMethod }) => rpcMethod === "tools/call"
              })
              yield* attempt(`F61 call ${status}`, server, "sse")
            }),
          { concurrency: 4 }
        )
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live("F50: none that falls silent and is opened again shows one", () =>
    Effect.gen(function* () {
      const stage = yield* scene
      const server = yield* LoopbackServer.make({ era: "legacy", responses: "sse" })
      const opened = Effect.map(
        server.requests,
        (requests) => requests.filter(({ httpMethod }) => httpMethod === "GET").length
      )
      const until = (count: number) => Effect.repeat(Effect.delay(opened, 10), { until: (now) => now >= count })
      const program = Effect.gen(function* () {
        yield* storeCredential(server.url)
        const connection = yield* (yield* McpTransport).connect("example", CARRYING)
        yield* until(1)
        yield* server.breakOpen("silence")
        yield* until(2)
        yield* server.respondNext({
          status: 401,
          body: repeating,
          times: 10,
          when: ({ httpMethod }) => httpMethod === "GET"
        })
        yield* server.closeStreams
        yield* until(3)
        return yield* withCall(connection.callTool("echo", {}), CARRYING)
      }).pipe(Effect.scoped, Effect.timeout(20_000))
      const exit = yield* stage.evidence.observe(
        "F59",
        program.pipe(
          Effect.provide(stage.layerWith({ servers: [carrier(stage, server.url)] })),
          Effect.provideService(HttpLimits, { ...DEFAULTS, backOff: 10, silence: 200 })
        )
      )
      assert.isTrue(Exit.isSuccess(exit))
      expectCarried((yield* server.requests).at(-1), "F59")
      expectNothing(stage.evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
