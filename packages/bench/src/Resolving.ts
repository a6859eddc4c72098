/**
 * What it costs to put the headers of one call together, without anything being sent: resolving, and the fields in
 * plain text.
 *
 * Sources are settled, as they are for nearly every call of a runtime: what the connection keeps is kept, and what is
 * asked for the call answers at once. In every row the last source is asked for the call and sets a session header; in
 * "six kinds" incoming headers, a token and a hook are asked too. Each call has a context of its own, as the transport
 * makes it, which is part of what is measured.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { isSettled } from "@letterhead/core/Settled"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type Session, sessions } from "./BenchHeaders.ts"
import { median } from "./Median.ts"
import { contextOf, entryOf, resolver } from "./SixSources.ts"

/** What one call takes, the median of the rounds. */
export interface ResolvingRow {
  readonly name: string
  readonly microseconds: number
}

export interface ResolvingOptions {
  /** How often each row is measured. Default: 1,001. */
  readonly rounds?: number
}

const SOURCES = [1, 2, 3, 6, 12, 25, 50]
const SESSIONS = [1, 100, 10_000]
const SERVERS = [1, 10, 100]
/**
 * Contexts in each row by sessions, however few there are of those: one for each request that came to the runtime. Else
 * the row with one session would have the one object that it reads at hand in the processor's cache, and the others not.
 */
const REQUESTS = Math.max(...SESSIONS)

/** Rows by number of sources, of sessions and of servers, measured in turns from either end. */
export const resolving = (options: ResolvingOptions = {}): Promise<ReadonlyArray<ResolvingRow>> =>
  Effect.runPromise(Effect.scoped(measured(options)))

interface Subject {
  readonly name: string
  readonly connections: ReadonlyArray<HeaderResolver.ConnectionHeaders>
  readonly contexts: ReadonlyArray<CallContext>
  readonly microseconds: Array<number>
}

const measured = Effect.fnUntraced(function* ({ rounds = 301 }: ResolvingOptions) {
  const subjects: Array<Subject> = []
  const add = (name: string, connections: Subject["connections"], contexts: Subject["contexts"]) =>
    subjects.push({ name, connections, contexts, microseconds: [] })

  for (const count of SOURCES) {
    const connections = yield* Effect.provide(connect(1), settled(count))
    add(`${count} settled ${count === 1 ? "source" : "sources"}`, connections, contextsOf(100))
  }
  add("six kinds", yield* sixKinds(1), contextsOf(100))
  for (const count of SESSIONS) add(`six kinds, sessions: ${count}`, yield* sixKinds(1), contextsOf(count, REQUESTS))
  for (const count of SERVERS) add(`six kinds, servers: ${count}`, yield* sixKinds(count), contextsOf(100))

  // What is asked before the first call, such as whether incoming headers may pass, is asked here; the rest warms up.
  for (const { connections, contexts } of subjects) {
    for (const connection of connections) yield* connection.resolve(callOf(contexts[0] ?? local, 0))
  }
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      const microseconds = measure(subject, (round + WARM_UP) * CALLS)
      if (round >= 0) subject.microseconds.push(microseconds)
    }
  }
  return subjects.map(({ name, microseconds }): ResolvingRow => ({ name, microseconds: median(microseconds) }))
})

const sixKinds = (servers: number) => Effect.provide(connect(servers), resolver)

/** Rounds that do not count: enough for each of 10,000 sessions to have made a call. */
const WARM_UP = 20
/** Calls of one measurement: so few that on a busy machine most measurements are not interrupted. */
const CALLS = 1_000
/**
 * Calls that go before, once to each server and not counted: those that were measured before have emptied the
 * processor's cache, which a row with a hundred servers would pay a hundred times and one with one server once.
 */
const SETTLING = 100

/** Microseconds per call, the first of which has this number. */
const measure = (subject: Subject, first: number): number => {
  resolveTimes(SETTLING, subject, first)
  const begin = performance.now()
  resolveTimes(CALLS, subject, first)
  return ((performance.now() - begin) * 1_000) / CALLS
}

const resolveTimes = (times: number, { connections, contexts }: Subject, first: number): void => {
  let fields = 0
  for (let call = first; call < first + times; call++) {
    const connection = connections[call % connections.length]
    const context = contexts[call % contexts.length]
    if (connection === undefined || context === undefined) throw new Error("no connection or no session")
    const headers = connection.resolve(callOf(context, call))
    if (!isSettled(headers) || Exit.isFailure(headers)) throw new Error("a source had no answer at once")
    fields += headers.value.reveal().length
  }
  if (fields < times) throw new Error("a call without headers")
}

const callOf = (context: CallContext, call: number): CallContext => ({
  ...context,
  callId: String(call),
  method: "tools/call",
  tool: "echo"
})

/** So many contexts of so many sessions, by turns; default: one of each. */
const contextsOf = (count: number, contexts = count): ReadonlyArray<CallContext> => {
  const made: ReadonlyArray<Session> = sessions(count)
  return Array.from({ length: contexts }, (_, index) => made[index % count]).flatMap((session) =>
    session === undefined ? [] : [contextOf(session)]
  )
}

const connect = (servers: number) =>
  Effect.flatMap(HeaderResolver.HeaderResolver, (resolver) =>
    Effect.forEach(Array.from({ length: servers }), (_, index) =>
      resolver.open(entryOf(new URL(`http://127.0.0.1/server-${index}`)), local)
    )
  )

/** So many sources with a header each: one is asked for each call, the others when the connection opens. */
const settled = (count: number): Layer.Layer<HeaderResolver.HeaderResolver> =>
  HeaderResolver.layer.pipe(
    Layer.provide(
      Layer.succeed(HeaderSources, [...Array.from({ length: count - 1 }, (_, index) => kept(index)), session])
    ),
    Layer.provide(MockTrustGate.layerPermitAll),
    Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
  )

const kept = (index: number): HeaderSource => {
  const id = `kept-${index}`
  const rank = Rank.static + index
  const answer = Effect.succeed(patch(id, rank, `X-Kept-${index}`, `a value that is kept, number ${index}`))
  return { id, rank, lifetime: "connection", resolve: () => answer }
}

const session: HeaderSource = {
  id: "session",
  rank: Rank.hook,
  lifetime: "call",
  resolve: (_entry, { sessionId = "" }) => Effect.succeed(patch("session", Rank.hook, "X-Session", sessionId))
}

const patch = (id: string, rank: number, name: string, value: string): HeaderPatch.HeaderPatch => ({
  ...HeaderPatch.empty(id, rank),
  set: [Result.getOrThrow(HeaderPatch.setField(name, value, "bench"))]
})
