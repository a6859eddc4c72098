/**
 * The servers of a soak, in a process of their own: each era with each kind of answer, demanding tokens that are
 * withdrawn now and then.
 *
 * They look at the headers of every call, and see to it that one in a hundred meets a fault.
 *
 * Usage: started by `Soak.ts` with the file that the helper writes its tokens into.
 */
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import { FAULTS } from "./SoakFaults.ts"

/** What the servers saw, once they are asked. */
export interface Seen {
  readonly calls: number
  /** Calls with a header of another session, or without one. */
  readonly crossed: number
  /** How often each fault was set up. */
  readonly faults: Readonly<Record<string, number>>
}

/** Milliseconds between two looks. */
const LOOK = 50
const CALLS_PER_FAULT = 100
/** Looks after which the tokens of all servers are withdrawn, and after which the sessions of the legacy ones end. */
const LOOKS_PER_EXPIRY = 200
const LOOKS_PER_FORGETTING = 330

const [tokensFile = ""] = process.argv.slice(2)
const shapes = (["legacy", "modern"] as const).flatMap((era) =>
  (["json", "sse"] as const).map((responses) => ({ era, responses, tokensFile }))
)

const isWrong = ({ arguments: given, headers, rpcMethod }: RecordedRequest): boolean =>
  rpcMethod === "tools/call" && headers.get("x-session") !== given?.["session"]

const program = Effect.gen(function* () {
  const servers = yield* Effect.forEach(shapes, LoopbackServer.make)
  const seen = { calls: 0, crossed: 0, faults: new Map<string, number>() }
  let due = 0
  const report = (): Seen => ({ ...seen, faults: Object.fromEntries(seen.faults) })

  const note = (name: string) => seen.faults.set(name, (seen.faults.get(name) ?? 0) + 1)

  const look = Effect.fnUntraced(function* (server: LoopbackServer.LoopbackServer) {
    const requests = yield* server.requests
    yield* server.clear
    const calls = requests.filter(({ rpcMethod }) => rpcMethod === "tools/call").length
    seen.calls += calls
    seen.crossed += requests.filter(isWrong).length
    for (due += calls / CALLS_PER_FAULT; due >= 1; due -= 1) {
      const next = FAULTS[[...seen.faults.values()].reduce((sum, times) => sum + times, 0) % FAULTS.length]
      if (next === undefined) return
      note(next.name)
      yield* server.respondNext(next.fault)
    }
  })

  process.on("message", () => process.send?.(report()))
  process.on("disconnect", () => process.exit())
  process.send?.(servers.map(({ url }) => url))
  for (let looks = 1; ; looks += 1) {
    yield* Effect.sleep(LOOK)
    yield* Effect.forEach(servers, look)
    if (looks % LOOKS_PER_EXPIRY === 0) {
      note("all tokens withdrawn")
      yield* Effect.forEach(servers, (server) => server.tokens.expireAll)
    }
    if (looks % LOOKS_PER_FORGETTING === 0) {
      note("all sessions forgotten")
      yield* Effect.forEach(servers, (server) => server.endSessions)
    }
  }
})

await Effect.runPromise(Effect.scoped(program))
