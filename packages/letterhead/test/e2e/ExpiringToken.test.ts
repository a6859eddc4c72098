/** The whole of Letterhead against a real server whose tokens a real helper process issues, and that expire. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Letterhead from "letterhead/Letterhead"
import { join } from "node:path"

const CALLS = 1_000
const SESSIONS = 20
const PRINCIPALS = ["ada", "bob", "cleo"] as const
const IN_FLIGHT = 64
const MANY_CALLS_TIMEOUT = 120_000

const sessions = Array.from({ length: SESSIONS }, (_, index) => ({
  sessionId: `session-${index}`,
  principal: PRINCIPALS[index % PRINCIPALS.length] ?? "ada"
}))

/** Issues a token that the server accepts until it withdraws it, and notes it in the file that the server reads. */
const ISSUER = `
import { appendFileSync } from "node:fs"
import { randomUUID } from "node:crypto"
const token = randomUUID()
appendFileSync(process.argv[2], token + " " + (Date.now() + 3600000) + "\\n")
console.log(JSON.stringify({ authorization: "Bearer " + token, "x-source": "helper" }))
`

const HOOK = `export default {
  "mcp.call.before": async (input, output) => {
    output.headers["X-Session-Id"] = input.sessionID
    output.headers["X-Call-Id"] = input.callID
  }
}`

const scene = Effect.fnUntraced(function* (options: Omit<LoopbackServer.LoopbackServerOptions, "tokensFile">) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped()
  const tokensFile = join(directory, "tokens")
  yield* fs.writeFileString(join(directory, "issuer.mjs"), ISSUER)
  yield* fs.writeFileString(join(directory, "hook.mjs"), HOOK)
  const server = yield* LoopbackServer.make({ ...options, tokensFile })
  const layer = Letterhead.layer({
    servers: [
      entry({
        url: server.url,
        directory,
        headers: { "X-Source": "static", "X-Static": "static" },
        helper: { command: [process.execPath, join(directory, "issuer.mjs"), tokensFile] },
        hooks: [join(directory, "hook.mjs")]
      })
    ],
    stateDirectory: join(directory, "state"),
    environment: {}
  })
  const helperRuns = Effect.map(fs.readFileString(tokensFile), (text) => text.split("\n").length - 1)
  return { server, layer, helperRuns }
})

describe("1,000 interleaved calls of 20 sessions of 3 principals, while every token expires in the middle", () => {
  for (const era of ["legacy", "modern"] as const) {
    for (const responses of ["json", "sse"] as const) {
      it.live(
        `${era}, ${responses}: all succeed with their own headers, and the helper runs once per expiry`,
        () =>
          Effect.gen(function* () {
            const { server, layer, helperRuns } = yield* scene({ era, responses })
            yield* Effect.gen(function* () {
              const transport = yield* McpTransport
              for (const principal of PRINCIPALS) yield* transport.connect("example", { principal })
              assert.strictEqual(yield* helperRuns, PRINCIPALS.length)
              yield* Effect.forEach(
                Array.from({ length: CALLS }, (_, index) => index),
                (index) =>
                  Effect.gen(function* () {
                    if (index === CALLS / 2) yield* server.tokens.expireAll
                    const session = sessions[(index * 7) % SESSIONS] ?? { sessionId: "none", principal: "ada" }
                    const call = Effect.flatMap(transport.connect("example"), (connection) =>
                      connection.callTool("echo", { session: session.sessionId, index })
                    )
                    const result = yield* withCall(Effect.scoped(call), { ...session, callId: `call-${index}` })
                    assert.isUndefined(result.isError)
                  }),
                { concurrency: IN_FLIGHT }
              )
            }).pipe(Effect.provide(layer))

            // One run for each connection that met the expiry; those that met it at the same time may share one.
            const renewals = (yield* helperRuns) - PRINCIPALS.length
            assert.isAtLeast(renewals, 1)
            assert.isAtMost(renewals, PRINCIPALS.length)

            const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
            assert.strictEqual(calls.filter(({ status }) => status === 200).length, CALLS)
            assert.isAbove(calls.filter(({ status }) => status === 401).length, 0)
            for (const { arguments: given, headers } of calls) {
              assert.strictEqual(headers.get("x-session-id"), given?.["session"])
              assert.strictEqual(headers.get("x-call-id"), `call-${String(given?.["index"])}`)
              assert.strictEqual(headers.get("x-source"), "helper")
              assert.strictEqual(headers.get("x-static"), "static")
            }
          }).pipe(Effect.provide(NodeServices.layer)),
        MANY_CALLS_TIMEOUT
      )
    }
  }
})

it.live("a helper whose tokens say when they expire runs at most once per lifetime", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    const tokensFile = join(directory, "tokens")
    const lifetime = 1_000
    yield* fs.writeFileString(
      join(directory, "issuer.mjs"),
      `import { appendFileSync } from "node:fs"
       import { randomUUID } from "node:crypto"
       const token = randomUUID()
       const expires = Date.now() + ${lifetime}
       appendFileSync(${JSON.stringify(tokensFile)}, token + " " + expires + "\\n")
       console.log(JSON.stringify({ headers: { Authorization: ["Bearer " + token] }, expires: new Date(expires).toISOString() }))`
    )
    const server = yield* LoopbackServer.make({ era: "modern", tokensFile })
    yield* Effect.gen(function* () {
      const connection = yield* (yield* McpTransport).connect("example")
      const start = yield* Clock.currentTimeMillis
      while ((yield* Clock.currentTimeMillis) < start + 2 * lifetime) {
        yield* connection.callTool("echo", {})
        yield* Effect.sleep(20)
      }
      const elapsed = (yield* Clock.currentTimeMillis) - start
      const runs = (yield* fs.readFileString(tokensFile)).split("\n").length - 1
      assert.isAtLeast(runs, 2)
      // Renewed a tenth of the lifetime before it ends.
      assert.isAtMost(runs, Math.ceil(elapsed / (lifetime * 0.9)) + 1)
    }).pipe(
      Effect.provide(
        Letterhead.layer({
          servers: [
            entry({
              url: server.url,
              directory,
              helper: { command: [process.execPath, join(directory, "issuer.mjs")] }
            })
          ],
          stateDirectory: join(directory, "state"),
          environment: {}
        })
      )
    )
  }).pipe(Effect.provide(NodeServices.layer))
)
