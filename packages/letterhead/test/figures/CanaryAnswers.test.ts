/** F50 for the answers of a server that repeats what it was sent. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import type { Fault } from "@letterhead/testing/LoopbackServerFault"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { CALL, HEADER, IN_URL, PRINTED, STORED, TIMEOUT, VARIABLE, expectNothing, scene } from "./Canary.ts"

describe.concurrent("a server that fails", () => {
  it.live(
    "F50, F83: no answer of a server that repeats one shows it",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, write } = yield* scene
        const helper = [write("helper.sh", `#!/bin/sh\necho '{"Authorization": "Bearer ${PRINTED}"}'\n`, 0o755)]
        const all = [PRINTED, HEADER, VARIABLE, STORED].join(" and ")
        const echo = (status: number, headers: Readonly<Record<string, string>> = {}): Fault => ({
          status,
          headers: { "content-type": "text/plain", ...headers },
          body: `refused: Bearer ${PRINTED}, ${all}, ${encodeURIComponent(all)}`
        })
        const faults: ReadonlyArray<readonly [row: string, fault: Fault]> = [
          ["F52", echo(401, { "www-authenticate": `Bearer realm="${PRINTED}", error_description="${HEADER}"` })],
          ["F55", echo(403, { "www-authenticate": `Bearer error="insufficient_scope", scope="${PRINTED}"` })],
          ["F55", echo(403)],
          ["F56", echo(429, { "retry-after": "1" })],
          ["F57", echo(500)],
          ["F57", echo(400)],
          ["F57", echo(404)],
          ["F57", { status: 200, headers: { "content-type": "application/json" }, body: `{"${PRINTED}": ${HEADER}` }],
          ["F57", { status: 200, headers: { "content-type": "text/html" }, body: all }],
          ["F43", { status: 302, headers: { location: `http://127.0.0.1:9/${PRINTED}?token=${HEADER}` } }],
          ["F43", { status: 307, headers: { location: `https://someone:${PRINTED}@mcp.example.com/?a=${HEADER}` } }],
          ["F57", { close: "before headers" }],
          ["F57", { close: "within body" }],
          ["F58", { hang: "before headers" }]
        ]
        for (const [index, [row, fault]] of faults.entries()) {
          const server = yield* LoopbackServer.make({ era: "modern" })
          const target = entry({
            directory: folder,
            url: `${server.url}?key=${IN_URL}`,
            headers: { "X-Static": HEADER, "X-Variable": "${SECRET}" },
            helper: { command: helper },
            credentials: [{ name: "API_KEY", headerName: "X-Api-Key" }],
            connectTimeout: 5_000
          })
          const program = Effect.gen(function* () {
            const key = { principal: "local", origin: new URL(server.url).origin, server: "example", field: "API_KEY" }
            yield* (yield* SecretStore.SecretStore).set(key, Redacted.make(STORED))
            const connection = yield* (yield* McpTransport).connect("example")
            yield* server.respondNext({ ...fault, times: 100 })
            return yield* withCall(connection.callTool("echo", {}, { timeout: 500 }), CALL)
          }).pipe(Effect.scoped)
          const layer = layerWith({ servers: [target] })
          const exit = yield* evidence.observe(`${row} ${index}`, Effect.provide(program, layer))
          assert.isTrue(Exit.isFailure(exit), `${row} ${index}`)
          const refused = yield* server.requests
          assert.strictEqual(refused.at(-1)?.headers.get("authorization"), `Bearer ${PRINTED}`)
          assert.strictEqual(refused.at(-1)?.headers.get("x-variable"), VARIABLE)
          // The same at connect, where the era is not known yet.
          yield* server.respondNext({ ...fault, times: 100 })
          yield* evidence.observe(
            `${row} ${index} at connect`,
            Effect.provide(
              Effect.scoped(Effect.flatMap(McpTransport, (transport) => transport.connect("example"))),
              layerWith({ servers: [{ ...target, connectTimeout: 500 }] })
            )
          )
        }
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
