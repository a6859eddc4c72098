/** The figure of resolving: many fibers, headers of a real helper that keep expiring, and no request between two of them. */
import { assert, it } from "@effect/vitest"
import { EXPIRY_MARGIN_PART } from "@letterhead/core/sources/HelperSource"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Letterhead from "letterhead/Letterhead"
import { join } from "node:path"

const FIBERS = 100
const RESOLVES_PER_FIBER = 100
/** Connections of the one principal; each serves its part of the fibers. */
const CONNECTIONS = 5
/** Milliseconds from what the helper prints to its `expires`. */
const LIFETIME = 2_000
/** Milliseconds that a connection uses it. */
const TIME_TO_LIVE = LIFETIME * (1 - EXPIRY_MARGIN_PART)
/** Milliseconds between two resolves of a fiber, so that all of them take about three lifetimes. */
const PAUSE = 60

/** Prints two fields that agree, and one that no other generation has. */
const ISSUER = `
import { appendFileSync, readFileSync } from "node:fs"
const [, , log] = process.argv
appendFileSync(log, "run\\n")
const run = readFileSync(log, "utf8").split("\\n").length - 1
console.log(JSON.stringify({
  headers: { Authorization: ["Bearer " + run], "X-Pair": [String(run)], ["X-Only-" + run]: [String(run)] },
  expires: new Date(Date.now() + ${LIFETIME}).toISOString()
}))
`

it.live(
  "10,000 resolves by 100 fibers, with headers that expire every 2 s, run the helper once per expiry and mix nothing",
  () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const log = join(directory, "log")
      yield* fs.writeFileString(join(directory, "issuer.mjs"), ISSUER)
      const target = entry({
        directory,
        headers: { Authorization: "Bearer static", "X-Pair": "static", "X-Static": "static" },
        helper: { command: [process.execPath, join(directory, "issuer.mjs"), log] }
      })
      const session = MockHeaderSources.source({
        id: "session",
        rank: 650,
        headers: (call) => ({ "X-Session": call.sessionId ?? "none" })
      })
      const layer = Letterhead.layer({
        servers: [target],
        stateDirectory: join(directory, "state"),
        environment: {},
        sources: [session]
      })

      const mixed: Array<string> = []
      const generations = new Set<string>()
      let resolves = 0
      const elapsed = yield* Effect.gen(function* () {
        const resolver = yield* HeaderResolver
        const start = performance.now()
        const connections = yield* Effect.all(
          Array.from({ length: CONNECTIONS }, () => resolver.open(target, { principal: "local" })),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(
          Array.from({ length: FIBERS }, (_, fiber) => fiber),
          Effect.fnUntraced(function* (fiber) {
            const connection = connections[fiber % CONNECTIONS]
            const sessionId = `session-${fiber}`
            if (connection === undefined) throw new Error("no connection")
            for (let index = 0; index < RESOLVES_PER_FIBER; index++) {
              const resolved = yield* connection.resolve({ principal: "local", sessionId })
              const sent = new Map(resolved.reveal())
              const run = sent.get("X-Pair") ?? "none"
              resolves++
              generations.add(run)
              const expected = [
                ["Authorization", `Bearer ${run}`],
                ["X-Pair", run],
                ["X-Static", "static"],
                [`X-Only-${run}`, run],
                ["X-Session", sessionId]
              ]
              if (JSON.stringify([...sent]) !== JSON.stringify(expected)) mixed.push(JSON.stringify([...sent]))
              // Each fiber at a rhythm of its own, so that some are always on their way when an answer expires.
              yield* Effect.sleep(PAUSE + ((fiber + index) % 7) - 3)
            }
          }),
          { concurrency: "unbounded" }
        )
        return performance.now() - start
      }).pipe(Effect.scoped, Effect.provide(layer))

      const runs = (yield* fs.readFileString(log)).split("\n").length - 1
      assert.deepStrictEqual(mixed, [])
      assert.strictEqual(resolves, FIBERS * RESOLVES_PER_FIBER)
      assert.isAtLeast(runs, 3)
      assert.isAtMost(runs, Math.ceil(elapsed / TIME_TO_LIVE) + 1)
      assert.strictEqual(generations.size, runs)
    }).pipe(Effect.provide(NodeServices.layer))
)
