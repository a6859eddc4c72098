/**
 * Calls for ten minutes through servers of which one call in a hundred meets a fault, of every kind there is, and looks
 * at two things: that each call ends, in a result or an error that has a name; and that memory does not grow.
 *
 * The whole of Letterhead is in it: a configuration, a helper that issues tokens, a hook that says whose session it is,
 * five principals with twenty sessions each, both eras, JSON and event streams, calls that are given up midway. Ends
 * with 1 where a call did not end or ended without a name, where a header was not that of the call's session, or where
 * the heap grew by more than {@link GROWTH} over the last half.
 *
 * Usage: `node --expose-gc Soak.ts [--minutes 10]`
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Letterhead from "letterhead/Letterhead"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { median } from "../Median.ts"
import type { Seen } from "./SoakServers.ts"

const MINUTES_DEFAULT = "10"
const IN_FLIGHT = 32
const PRINCIPALS = 5
const SESSIONS = 20
/** Milliseconds that a call may take before it is given up, and after which one that has not ended counts as hung. */
const TIMEOUT = 2_000
const HUNG = 60_000
/** Of so many calls, one is given up by its caller after a few milliseconds. */
const CALLS_PER_INTERRUPTION = 50
/** Milliseconds between two looks at the heap. */
const LOOK = 2_000
/** How much more the last quarter may hold than the one before it. */
const GROWTH = 0.05

const { values } = parseArgs({ options: { minutes: { type: "string", default: MINUTES_DEFAULT } } })
const milliseconds = Number(values.minutes) * 60_000
if (!(milliseconds > 0)) throw new Error(`--minutes takes a number, such as ${MINUTES_DEFAULT}`)
const { gc } = globalThis
if (gc === undefined) throw new Error("start it with node --expose-gc: it looks at the heap after collections")

const ISSUER = `
import { appendFileSync } from "node:fs"
import { randomUUID } from "node:crypto"
const token = randomUUID()
appendFileSync(process.argv[2], token + " " + (Date.now() + 3600000) + "\\n")
console.log(JSON.stringify({ authorization: "Bearer " + token }))
`

const folder = mkdtempSync(join(tmpdir(), "letterhead-soak-"))
const tokens = join(folder, "tokens")
writeFileSync(tokens, "")
writeFileSync(join(folder, "issuer.mjs"), ISSUER)
const servers = fork(join(import.meta.dirname, "SoakServers.ts"), [tokens])
const [urls]: ReadonlyArray<ReadonlyArray<string>> = await once(servers, "message")

const outcomes = new Map<string, number>()
const heap: Array<number> = []
const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
let unnamed = 0

const names = (urls ?? []).map((_, index) => `server-${index}`)
const layer = Letterhead.layer({
  servers: (urls ?? []).map((url, index) =>
    entry({
      name: names[index] ?? "",
      url,
      directory: folder,
      headers: { "X-Static": "static" },
      helper: { command: [process.execPath, join(folder, "issuer.mjs"), tokens] }
    })
  ),
  stateDirectory: join(folder, "state"),
  environment: {}
}).pipe(
  Layer.provide(
    Layer.succeed(CallHooks, [{ name: "session", run: ({ sessionID }) => Effect.succeed({ "X-Session": sessionID }) }])
  )
)

/** One call, and what came of it. */
const call = Effect.fnUntraced(function* (index: number) {
  const { connect } = yield* McpTransport
  const server = names[index % names.length] ?? ""
  const principal = `principal-${index % PRINCIPALS}`
  const sessionId = `${principal} in session-${index % SESSIONS}`
  const calling = Effect.flatMap(connect(server), (connection) =>
    connection.callTool("echo", { session: sessionId }, { timeout: TIMEOUT, idempotent: index % 2 === 0 })
  ).pipe(Effect.scoped, (effect) => withCall(effect, { principal, sessionId }))
  const isInterrupted = index % CALLS_PER_INTERRUPTION === 0
  const exit = yield* Effect.exit(
    isInterrupted ? Effect.timeoutOption(calling, index % 7) : Effect.map(Effect.timeout(calling, HUNG), Option.some)
  )
  if (Exit.isSuccess(exit)) {
    note(Option.isNone(exit.value) ? "given up by its caller" : "result")
    return
  }
  const error = Cause.findErrorOption(exit.cause)
  const name = Option.isSome(error) && error.value._tag === "McpError" ? error.value.reason._tag : undefined
  if (name === undefined) unnamed += 1
  note(name ?? (Option.isSome(error) ? "hung" : `defect: ${Cause.pretty(exit.cause).split("\n")[0]}`))
})

const program = Effect.gen(function* () {
  const { connect } = yield* McpTransport
  // Held to the end, so that what is measured is the life of connections and not their beginning.
  for (const server of names) {
    for (let principal = 0; principal < PRINCIPALS; principal += 1) {
      yield* connect(server, { principal: `principal-${principal}` })
    }
  }
  const end = (yield* Clock.currentTimeMillis) + milliseconds
  const running = Effect.map(Clock.currentTimeMillis, (now) => now < end)
  let index = 0
  const worker = Effect.gen(function* () {
    while (yield* running) yield* call((index += 1))
  })
  const looking = Effect.gen(function* () {
    while (yield* running) {
      yield* Effect.sleep(LOOK)
      yield* Effect.sync(() => {
        gc()
        heap.push(process.memoryUsage().heapUsed)
        progress(index)
      })
    }
  })
  yield* Effect.all([looking, ...Array.from({ length: IN_FLIGHT }, () => worker)], {
    concurrency: "unbounded",
    discard: true
  })
})

try {
  await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(layer)))
  servers.send("report")
  const [seen]: ReadonlyArray<Seen> = await once(servers, "message")
  if (seen !== undefined) conclude(seen)
} finally {
  servers.disconnect()
  rmSync(folder, { recursive: true, force: true })
}

function progress(calls: number): void {
  const mebibytes = ((heap.at(-1) ?? 0) / 2 ** 20).toFixed(1)
  process.stderr.write(`${calls} calls, ${mebibytes} MiB of heap, ${unnamed} without a named end\n`)
}

function conclude(seen: Seen): void {
  const quarter = Math.floor(heap.length / 4)
  const [before, last] = [median(heap.slice(-2 * quarter, -quarter)), median(heap.slice(-quarter))]
  const growth = last / before - 1
  const lines = [
    `${seen.calls} calls reached the servers; ${seen.crossed} with headers of another session`,
    `faults: ${Object.entries(seen.faults)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ")}`,
    `outcomes: ${[...outcomes].map(([name, times]) => `${name} ${times}`).join(", ")}`,
    `heap: ${(before / 2 ** 20).toFixed(1)} MiB in the third quarter, ${(last / 2 ** 20).toFixed(1)} MiB in the last (${(growth * 100).toFixed(1)} %)`
  ]
  process.stdout.write(`${lines.join("\n")}\n`)
  // Too short a run has no quarters, and says nothing of memory.
  if (unnamed > 0 || seen.crossed > 0 || growth > GROWTH) process.exitCode = 1
}
