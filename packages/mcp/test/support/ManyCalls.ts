/**
 * Many calls of many sessions at once, over one connection for each principal, while their tokens expire, streams are
 * dropped, calls are given up and servers ask back; and what must be so at the end.
 */
import { assert } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Harness from "./Harness.ts"

/** Calls with each client, era and kind of response. */
export const CALLS = 10_000
/** Milliseconds that they may take on a machine that does much else. */
export const TIMEOUT = 300_000
export const CLAIM = "interleaved calls of 100 sessions of 5 principals, one connection for each"

const SESSIONS = 100
const PRINCIPALS = ["ada", "bob", "cleo", "dan", "eve"] as const
const IN_FLIGHT = 64
/** Milliseconds within which a call is given up, one way or another. */
const PATIENCE = 40

/** Calls a tool on behalf of the current call, and gives the texts of its answer. */
export type CallTool = (
  name: string,
  args: Readonly<Record<string, unknown>>
) => Effect.Effect<ReadonlyArray<string>, unknown>

export interface ManyCallsOptions {
  readonly era: "legacy" | "modern"
  readonly responses: "json" | "sse"
  /** Default {@link CALLS}. */
  readonly calls?: number
  /** How often the tokens of all principals expire. Default 3. */
  readonly expiries?: number
  /** The connection of a principal. */
  readonly connect: (harness: Harness.Harness, principal: string) => Effect.Effect<CallTool, unknown, Scope.Scope>
  /** Whether the client resumes streams, and answers what a server asks. */
  readonly talks: boolean
}

/** What a call does. */
type Kind = "echo" | "slow" | "drop" | "elicit"

export const run = Effect.fnUntraced(function* (options: ManyCallsOptions) {
  const { calls = CALLS, connect, era, expiries = 3, responses } = options
  const harness = yield* Harness.make({ era, responses, resolver: { token } })
  const { server } = harness
  const accept = (generation: number) =>
    Effect.forEach(PRINCIPALS, (principal) => server.tokens.accept(token(generation, principal)))
  yield* accept(1)
  yield* server.tokens.demand

  const given = { up: 0, answered: 0 }
  const requests = yield* Effect.scoped(
    Effect.gen(function* () {
      const connections = new Map<string, CallTool>()
      for (const principal of PRINCIPALS) connections.set(principal, yield* connect(harness, principal))

      const underWay = new Set<number>()
      const met = new Set<number>()
      /** A call is sent again once: none of those that saw one token expire is to see the next one expire too. */
      const expire = Effect.fnUntraced(function* (expiry: number) {
        yield* Harness.until(Effect.sync(() => [...met].every((index) => !underWay.has(index))))
        yield* server.tokens.expireAll
        yield* accept(expiry + 1)
        for (const index of underWay) met.add(index)
      })

      const one = Effect.fnUntraced(function* (index: number, session: string, callTool: CallTool) {
        const kind = kindOf(index, options)
        if (kind === "slow") {
          const slow = callTool("slow", { session, index, ms: 60_000 })
          yield* Effect.timeoutOption(slow, (index * 7) % PATIENCE)
          given.up += 1
          return
        }
        const answer = yield* callTool(kind, { session, index, ...(kind === "elicit" ? { count: 2 } : {}) })
        assert.deepStrictEqual(answer, kind === "echo" ? [JSON.stringify({ session, index })] : ANSWERS[kind])
        given.answered += 1
      })

      yield* Effect.forEach(
        Array.from({ length: calls }, (_, index) => index),
        Effect.fnUntraced(function* (index) {
          const expiry = index / (calls / (expiries + 1))
          if (index > 0 && Number.isInteger(expiry)) yield* expire(expiry)
          underWay.add(index)
          const number = (index * 7 + Math.floor(index / SESSIONS)) % SESSIONS
          const principal = PRINCIPALS[number % PRINCIPALS.length] ?? "ada"
          const callTool = connections.get(principal)
          assert.isDefined(callTool)
          const sessionId = `session-${number}`
          yield* withCall(one(index, sessionId, callTool), { principal, sessionId })
          underWay.delete(index)
        }),
        { concurrency: IN_FLIGHT, discard: true }
      )
      // What is left is the stream that each connection listens on.
      yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size <= 2)))
      // Sessions that are over tell nothing of their streams any more.
      return yield* server.requests
    })
  )

  assert.deepStrictEqual(crossed(requests), [])
  const answered = requests.filter(
    (request) => isCall(request) && request.status === 200 && request.toolName !== "slow"
  )
  assert.strictEqual(given.answered + given.up, calls)
  assert.strictEqual(new Set(answered.map((request) => request.arguments?.["index"])).size, given.answered)
  assert.strictEqual(new Set(answered.map(({ sessionMark }) => sessionMark)).size, SESSIONS)
  assert.isTrue(answered.every((request) => request.headers.get("x-principal") === principalOf(request.sessionMark)))
  assert.deepStrictEqual(crossed((yield* server.requests).slice(requests.length)), [])
  // One connection for each principal, and one renewal for each token that expired.
  assert.strictEqual(harness.resolver.opened, PRINCIPALS.length)
  assert.strictEqual(harness.resolver.closed, PRINCIPALS.length)
  assert.strictEqual(harness.resolver.renewals, PRINCIPALS.length * expiries)
  if (options.talks && era === "legacy" && responses === "sse") {
    assert.isAbove(requests.filter(({ headers }) => headers.has("last-event-id")).length, calls / 100)
  }
  yield* Harness.until(
    Effect.map(server.slowCalls, (slow) => slow.length > 0 && slow.every(({ outcome }) => outcome === "cancelled"))
  )
  assert.isTrue(harness.correlations.every(({ size }) => size === 0))
})

const token = (generation: number, principal: string) => `${principal}-${generation}`

const ANSWERS: Readonly<Record<Exclude<Kind, "echo" | "slow">, ReadonlyArray<string>>> = {
  drop: ["resumed"],
  elicit: ["yes yes"]
}

const kindOf = (index: number, { era, responses, talks }: ManyCallsOptions): Kind => {
  if (index % 10 === 0) return "slow"
  if (!talks) return "echo"
  if (index % 50 === 1 && era === "legacy" && responses === "sse") return "drop"
  return index % 50 === 2 && (era === "modern" || responses === "sse") ? "elicit" : "echo"
}

const isCall = ({ rpcMethod }: RecordedRequest) => rpcMethod === "tools/call"

const principalOf = (session: string | undefined): string | undefined =>
  PRINCIPALS[Number(session?.slice("session-".length)) % PRINCIPALS.length]

const crossed = (requests: ReadonlyArray<RecordedRequest>) =>
  Harness.crossed(requests.filter((request) => request.rpcMethod !== "tools/list" && !isStray(request)))

/** The cancellation of a call that never got to the server: which call's, the server cannot tell, but whose. */
const isStray = ({ headers, rpcMethod, sessionMark }: RecordedRequest): boolean =>
  rpcMethod === "notifications/cancelled" &&
  sessionMark === undefined &&
  principalOf(headers.get("x-session")) === headers.get("x-principal")
