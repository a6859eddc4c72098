/**
 * The one place that knows the order of the sources.
 *
 * A connection asks its `connection` sources when it opens and keeps their answers until they expire or the server
 * refuses them; `call` sources are asked for each call. Answers are counted per principal, server and source, and a
 * refusal of an older answer takes the newer one without asking anybody: of a hundred calls that meet one expired
 * credential, one renews it.
 */
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import type { CallContext } from "./call/CallContext.ts"
import { ConnectionSources, type SharedAnswers } from "./ConnectionSources.ts"
import type { HeaderError } from "./headers/HeaderError.ts"
import type { HeaderPatch } from "./headers/HeaderPatch.ts"
import type { Provenance, ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import * as ServerUrl from "./server/ServerUrl.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import { type ChallengeResponse, nothingSoFar } from "./sources/HeaderSource.ts"
import { HeaderSources } from "./sources/HeaderSources.ts"
import * as Telemetry from "./Telemetry.ts"
import type { TrustGate } from "./trust/TrustGate.ts"

/** The headers of one connection: of one server, for one principal. */
export interface ConnectionHeaders {
  /** The absolute URL of the server, with its template evaluated. Headers go to its origin and nowhere else. */
  readonly url: URL
  /**
   * The headers of one request; renews what has expired.
   *
   * Asks when it is called. Where nothing has to be awaited, what it returns is an `Exit` already (see `isSettled` in
   * `Settled`), which needs no fiber to be read. It is good for one request: call it anew for each.
   */
  readonly resolve: (call: CallContext) => Effect.Effect<ResolvedHeaders, HeaderError>
  /** What to do about a refusal: send once more with what `resolve` gives now, or leave it to the caller. */
  readonly challenge: (
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<"retry" | "give up", HeaderError>
  /**
   * Asks the sources with lifetime `connection` anew, as at connect, and keeps what they answer.
   *
   * All of them answer before anything changes: where one fails, the earlier answers stay and the error is the
   * caller's. The URL stays what it was when the connection opened.
   */
  readonly reconnect: Effect.Effect<void, HeaderError>
  /**
   * Signs `owner` in at the server; `false` where no source can. For who makes a connection that failed with
   * `SignInRequired`, and for a person who asks for it; never inside a request.
   */
  readonly signIn: (owner: CallContext) => Effect.Effect<boolean, HeaderError>
}

/** Headers, and what there is to say about them. */
interface ExplainedHeaders extends ConnectionHeaders {
  readonly explain: (call: CallContext) => Effect.Effect<ReadonlyArray<Provenance>, HeaderError>
}

export class HeaderResolver extends Context.Service<
  HeaderResolver,
  {
    /** Asks the sources with lifetime `connection` and keeps their answers until the scope closes. */
    readonly open: (
      entry: ServerEntry,
      owner: CallContext
    ) => Effect.Effect<ConnectionHeaders, HeaderError, Scope.Scope>
    /** Every field that would be sent or is left out, and why. Sends nothing. */
    readonly explain: (entry: ServerEntry, call: CallContext) => Effect.Effect<ReadonlyArray<Provenance>, HeaderError>
  }
>()("@letterhead/core/HeaderResolver") {}

/** What a source answered. */
interface Answer {
  readonly given: HeaderPatch
  /** The same with its generation. */
  readonly patch: HeaderPatch
}

/** The answers of the sources for one principal and server, shared by its connections. */
interface Answers extends SharedAnswers {
  connections: number
}

export const make = Effect.gen(function* () {
  const sources = (yield* HeaderSources).toSorted((a, b) => a.rank - b.rank)
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path | TrustGate>()
  const clock = yield* Clock.Clock
  const measuring = yield* Telemetry.MeasureResolving
  const answersOf = new Map<ServerEntry, Map<string, Answers>>()

  const makeAnswers = Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext) {
    const latest = new Map<string, Answer>()
    const renewals = yield* Cache.makeWith(
      Effect.fnUntraced(function* (key: string) {
        const source = sources.find((candidate) => key.startsWith(`${candidate.id}#`))
        if (source === undefined) return yield* Effect.die(new Error(`no source for ${key}`))
        const given = yield* source.resolve(entry, owner, nothingSoFar)
        const before = latest.get(source.id)
        // What a source kept and gives again is no new answer.
        if (before?.given === given) return before.patch
        const patch = { ...given, generation: (before?.patch.generation ?? 0) + 1 }
        latest.set(source.id, { given, patch })
        return patch
      }),
      // Only those who wait share an answer; `latest` is what is kept.
      { capacity: sources.length + 1, timeToLive: () => Duration.zero }
    )
    const answers: Answers = {
      connections: 0,
      latest: ({ id }) => latest.get(id)?.patch,
      // All who ask for the successor of one generation share one answer.
      renew: ({ id }) => Cache.get(renewals, `${id}#${latest.get(id)?.patch.generation ?? 0}`)
    }
    return answers
  })

  const acquireAnswers = (entry: ServerEntry, owner: CallContext) =>
    Effect.acquireRelease(
      Effect.gen(function* () {
        const principals = answersOf.get(entry) ?? new Map<string, Answers>()
        answersOf.set(entry, principals)
        const answers = principals.get(owner.principal) ?? (yield* makeAnswers(entry, owner))
        principals.set(owner.principal, answers)
        answers.connections++
        return answers
      }),
      (answers) =>
        Effect.sync(() => {
          if (--answers.connections > 0) return
          const principals = answersOf.get(entry)
          principals?.delete(owner.principal)
          if (principals?.size === 0) answersOf.delete(entry)
        })
    )

  const open = Effect.fnUntraced(function* (
    entry: ServerEntry,
    owner: CallContext
  ): Effect.fn.Return<ExplainedHeaders, HeaderError, Scope.Scope> {
    const url = yield* Effect.provide(ServerUrl.evaluate(entry), services)
    const answers = yield* acquireAnswers(entry, owner)
    const connection = new ConnectionSources({ entry, sources, answers, clock })
    yield* connection.reconnect()
    const resolve = (call: CallContext) => connection.resolve(call)
    return {
      url,
      resolve: measuring ? Telemetry.measured(resolve, services) : resolve,
      challenge: (call, sent, response) =>
        Effect.onExit(connection.challenge(call, sent, response), (exit) =>
          Telemetry.countChallenge(response.status, exit)
        ),
      reconnect: Effect.suspend(() => connection.reconnect()),
      signIn: (owner) => Effect.suspend(() => connection.signIn(owner)),
      explain: (call) => Effect.map(connection.resolve(call), (resolved) => connection.explain(resolved))
    }
  })

  return HeaderResolver.of({
    open,
    explain: (entry, call) => Effect.scoped(Effect.flatMap(open(entry, call), (headers) => headers.explain(call)))
  })
})

/** The resolver over the runtime's sources. */
export const layer: Layer.Layer<HeaderResolver, never, HeaderSources | TrustGate | FileSystem.FileSystem | Path.Path> =
  Layer.effect(HeaderResolver, make)
