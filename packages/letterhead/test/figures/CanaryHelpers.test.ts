/** F50 for helpers at the wrong moment: a clock that jumps (F24), a connection that needs one that fails (F29). */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ADDED, CALL, HEADER, IN_URL, PRINTED, TIMEOUT, expectNothing, outcome, scene } from "./Canary.ts"

/** Milliseconds. */
const HOUR = 3_600_000

describe.concurrent("a helper at the wrong moment", () => {
  it.live(
    "F50, F24: no jump of the clock, of an hour forth or back, makes its headers show",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, write } = yield* scene
        const clock = yield* Clock.Clock
        let offset = 0
        const jumping: Clock.Clock = Object.create(clock, {
          currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + offset },
          currentTimeMillis: { value: Effect.sync(() => clock.currentTimeMillisUnsafe() + offset) }
        })
        const expires = new Date(Date.now() + HOUR / 2).toISOString()
        const answer = `{"headers": {"Authorization": ["Bearer ${PRINTED}"]}, "expires": "${expires}"}`
        // It fails once there is a file that says so.
        const script = `#!/bin/sh\necho x >> "${folder}/runs"\necho 'with ${PRINTED}' >&2\necho '${answer}'\n[ ! -e "${folder}/fails" ]\n`
        const command = [write("expiring.sh", script, 0o755)]
        const target = entry({
          directory: folder,
          headers: { "X-Static": HEADER },
          helper: { command, environment: { API_TOKEN: ADDED } }
        })
        const program = Effect.gen(function* () {
          const headers = yield* (yield* HeaderResolver).open(target, CALL)
          for (const jump of [0, HOUR, 0, -HOUR, HOUR]) {
            offset = jump
            yield* evidence.observe(`F24 by ${jump}`, headers.resolve(CALL))
            const sent = yield* Effect.exit(headers.resolve(CALL))
            if (sent._tag === "Success") {
              yield* evidence.observe("F24, refused", headers.challenge(CALL, sent.value, { status: 401 }))
            }
            write("fails", "")
          }
        }).pipe(Effect.scoped, Effect.provide(layerWith({ servers: [target] })))
        const exit = yield* evidence.observe("F24", Effect.provideService(program, Clock.Clock, jumping))
        assert.strictEqual(outcome(exit), "Success", String(exit))
        assert.isAbove(evidence.counts().error, 0)
        assert.isAbove(readFileSync(join(folder, "runs"), "utf8").length, 2, "it ran more than once")
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F29: one that fails at connect shows nothing, whether the connection is made without it or not at all",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, write } = yield* scene
        const script = `#!/bin/sh\necho 'with ${PRINTED}' >&2\necho '{"Authorization": "Bearer ${PRINTED}"}'\nexit 3\n`
        const command = [write("failing.sh", script, 0o755)]
        for (const [onFailure, tag] of [
          ["fail", "ExitedWith"],
          ["static", "Success"]
        ] as const) {
          const server = yield* LoopbackServer.make({ era: "both" })
          const target = entry({
            directory: folder,
            url: `${server.url}?key=${IN_URL}`,
            headers: { "X-Static": HEADER },
            helper: { command, environment: { API_TOKEN: ADDED }, onFailure }
          })
          const connecting = Effect.flatMap(McpTransport, (transport) => transport.connect("example", CALL)).pipe(
            Effect.asVoid,
            Effect.scoped,
            Effect.provide(layerWith({ servers: [target] }))
          )
          assert.strictEqual(outcome(yield* evidence.observe(`F29 ${onFailure}`, connecting)), tag)
          const requests = yield* server.requests
          assert.strictEqual(requests.length > 0, onFailure === "static")
          for (const { headers } of requests) assert.isUndefined(headers.get("authorization"))
        }
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
