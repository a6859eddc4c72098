/** F50 for servers and networks over HTTP, however a runtime reaches them: rows F43 to F46, F52, F55 to F60, F83, F85. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { type Fault, headerFlood, redirect } from "@letterhead/testing/LoopbackServerFault"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HEADER, IN_URL, PASSWORD, PRINTED, STORED, TIMEOUT, expectNothing, scene } from "./Canary.ts"
import { FACES, carrier, expectCarried, repeating, storeCredential } from "./CanaryRequests.ts"

const answer = (status: number, headers: Readonly<Record<string, string>> = {}): Fault => ({
  status,
  headers: { "content-type": "text/plain", ...headers },
  body: repeating
})

const error = { code: -32_000, message: `bad ${PRINTED}`, data: { key: [STORED, { deep: PASSWORD }] } }

const FAULTS: ReadonlyArray<readonly [row: string, fault: Fault]> = [
  ...([301, 302, 307] as const).map(
    (status) => ["F43", redirect(status, `http://127.0.0.1:9/${PRINTED}?token=${HEADER}`)] as const
  ),
  ["F43", redirect(307, `https://${PRINTED}.example.com/mcp`)],
  ["F44", redirect(307, `http://someone:${PRINTED}@127.0.0.1:9/mcp`)],
  ["F44", redirect(307, `file:///${PRINTED}`)],
  ["F44", redirect(307, `${PRINTED}:${HEADER}`)],
  ["F46", redirect(308, `/.well-known/${PRINTED}?key=${IN_URL}`)],
  ["F46", redirect(308, `/${IN_URL}/mcp/`)],
  ["F52", answer(401, { "www-authenticate": `Bearer realm="${PRINTED}", error_description="${HEADER}"` })],
  ["F55", answer(403, { "www-authenticate": `Bearer error="insufficient_scope", scope="${PRINTED}"` })],
  ["F55", answer(403)],
  ["F56", answer(429, { "retry-after": PRINTED })],
  ["F56", answer(503, { "retry-after": "9999999999" })],
  ["F57", answer(400)],
  ["F57", answer(404)],
  ["F57", answer(500)],
  ["F57", answer(502)],
  ["F57", { close: "before headers" }],
  ["F57", { close: "within body" }],
  ["F57", { reset: "after headers" }],
  ["F58", { hang: "before headers" }],
  ["F58", { hang: "within body" }],
  ["F60", { ...headerFlood(40_000), headers: { [PRINTED]: HEADER.repeat(2_000) } }],
  ["F60", { trickle: "headers", interval: 20 }],
  ["F60", answer(431)],
  ["F83", answer(418)],
  ["F83", answer(200)],
  ["F83", { status: 200, headers: { "content-type": "application/json" }, body: `{"${PRINTED}": ${HEADER}` }],
  [
    "F83",
    { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ [PRINTED]: HEADER }) }
  ],
  ["F83", { status: 200, headers: { "content-type": PRINTED }, body: HEADER }],
  ["F83", { status: 200, headers: { "content-type": "text/event-stream" }, body: `data: ${PRINTED}\n\n` }],
  [
    "F83",
    {
      status: 200,
      headers: { "content-type": "application/json" },
      body: ({ rpcId }) => JSON.stringify({ jsonrpc: "2.0", id: rpcId, error })
    }
  ],
  ["F85", answer(408)]
]

describe.concurrent("a server or a network that fails", () => {
  for (const face of FACES) {
    it.live(
      `F50, F83: no answer of a server shows one, in a call or while it connects (${face.name})`,
      () =>
        Effect.gen(function* () {
          const stage = yield* scene
          const { evidence } = stage
          yield* Effect.forEach(
            // What a fetch passes on of an answer that is none of an error is for its client to read.
            FAULTS.filter(([, fault]) => face.waits || !("status" in fault) || fault.status !== 200),
            ([row, fault], index) =>
              Effect.gen(function* () {
                const what = `${row} ${index}`
                const server = yield* LoopbackServer.make({ era: "both" })
                const target = carrier(stage, server.url)
                const program = Effect.gen(function* () {
                  yield* storeCredential(server.url)
                  const call = yield* face.open(yield* McpTransport, server.url)
                  yield* server.respondNext({ ...fault, times: 100 })
                  return yield* Effect.ensuring(call, server.clearFaults)
                }).pipe(Effect.scoped)
                const exit = yield* evidence.observe(
                  what,
                  Effect.provide(program, stage.layerWith({ servers: [target] }))
                )
                if (face.waits) assert.isTrue(Exit.isFailure(exit), what)
                expectCarried(
                  (yield* server.requests).findLast(({ rpcMethod }) => rpcMethod === "tools/call"),
                  what
                )
                // It connects as SDK 2 does.
                if (face.name === "call") return
                yield* server.respondNext({ ...fault, times: 100 })
                // The same while it connects, where the era is not known yet.
                yield* evidence.observe(
                  `${what} at connect`,
                  Effect.flatMap(McpTransport, (transport) => face.open(transport, server.url)).pipe(
                    // A client waits for a minute.
                    Effect.timeout(800),
                    Effect.ensuring(server.clearFaults),
                    Effect.scoped,
                    Effect.provide(stage.layerWith({ servers: [{ ...target, connectTimeout: 400 }] }))
                  )
                )
              }).pipe(Effect.scoped),
            { concurrency: 8, discard: true }
          )
          expectNothing(evidence)
          assert.isAbove(evidence.counts().metric, 0)
        }).pipe(Effect.provide(NodeServices.layer)),
      TIMEOUT
    )
  }
})
