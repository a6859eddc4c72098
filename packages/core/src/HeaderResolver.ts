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
import * as Equal from "effect/Equal"
import type * as FileSystem from "effect/FileSystem"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Scope from "effect/Scope"
import type { CallContext } from "./call/CallContext.ts"
import { ConnectionSources, type SharedAnswers } from "./ConnectionSources.ts"
import type { HeaderError } from "./headers/HeaderError.ts"
import * as HeaderPatch from "./headers/HeaderPatch.ts"
import type { Provenance, ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import * as ServerUrl from "./server/ServerUrl.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import { type ChallengeResponse, type HeaderSource, nothingSoFar } from "./sources/HeaderSource.ts"
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
   * `Settled`), which needs no fiber to be read. It is good for one request: call it anew for each. `before` is what the
   * same call was sent with, for a retry and for the resumption of its stream: hooks do not run again for those.
   */
  readonly resolve: (call: CallContext, before?: ResolvedHeaders) => Effect.Effect<ResolvedHeaders, HeaderError>
  /** What to do about a refusal: send once more with what `resolve` gives now, or leave it to the caller. */
  readonly challenge: (
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<"retry" | "give up", HeaderError>
  /**
   * Told of the refusal of what was sent once more. Nothing is sent again: it is the caller's, unless nobody said who
   * calls and a source that stood back fails here with what the caller has to do first, such as sign in.
   */
  readonly refusedAgain: (
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<void, HeaderError>
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
  readonly source: HeaderSource
  /** What it gave, as long as it keeps that itself. */
  readonly given: WeakRef<HeaderPatch.HeaderPatch>
  /** The same with its generation. */
  readonly patch: HeaderPatch.HeaderPatch
}

/** The answers of the sources for one principal and server, shared by its connections. */
class PrincipalAnswers implements SharedAnswers {
  connections = 0
  readonly #entry: ServerEntry
  readonly #owner: CallContext
  readonly #renewals: Renewals
  #latest: ReadonlyArray<Answer> = []

  constructor(entry: ServerEntry, owner: CallContext, renewals: Renewals) {
    this.#entry = entry
    this.#owner = owner
    this.#renewals = renewals
  }

  latest(source: HeaderSource): HeaderPatch.HeaderPatch | undefined {
    return this.#answerOf(source)?.patch
  }

  renew(source: HeaderSource): Effect.Effect<HeaderPatch.HeaderPatch, HeaderError> {
    return Cache.get(this.#renewals, new Renewal(this, source, this.latest(source)?.generation ?? 0))
  }

  /** Asks the source, whoever else does. */
  ask(source: HeaderSource): Effect.Effect<HeaderPatch.HeaderPatch, HeaderError> {
    const asking = Effect.suspend(() => source.resolve(this.#entry, this.#owner, nothingSoFar))
    return Effect.map(asking, (given) => {
      const before = this.#answerOf(source)
      // What a source kept and gives again is no new answer.
      if (before?.given.deref() === given) return before.patch
      const patch = { ...HeaderPatch.compact(given), generation: (before?.patch.generation ?? 0) + 1 }
      const others = this.#latest.filter((answer) => answer !== before)
      this.#latest = others.concat({ source, given: new WeakRef(given), patch })
      return patch
    })
  }

  #answerOf(source: HeaderSource): Answer | undefined {
    return this.#latest.find((answer) => answer.source === source)
  }
}

type Renewals = Cache.Cache<Renewal, HeaderPatch.HeaderPatch, HeaderError>

/** The successor of one generation of an answer: all who ask for it at once share one. */
class Renewal {
  readonly answers: PrincipalAnswers
  readonly source: HeaderSource
  readonly generation: number

  constructor(answers: PrincipalAnswers, source: HeaderSource, generation: number) {
    this.answers = answers
    this.source = source
    this.generation = generation
  }

  [Equal.symbol](that: unknown): boolean {
    return (
      that instanceof Renewal &&
      this.answers === that.answers &&
      this.source === that.source &&
      this.generation === that.generation
    )
  }

  [Hash.symbol](): number {
    return Hash.combine(Hash.random(this.answers), Hash.string(this.source.id))
  }
}

/** The headers of a connection from its sources. */
class SourceHeaders implements ExplainedHeaders {
  readonly url: URL
  readonly #sources: ConnectionSources

  constructor(url: URL, sources: ConnectionSources) {
    this.url = url
    this.#sources = sources
  }

  resolve(call: CallContext, before?: ResolvedHeaders): Effect.Effect<ResolvedHeaders, HeaderError> {
    return this.#sources.resolve(call, before)
  }

  challenge(
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ): Effect.Effect<"retry" | "give up", HeaderError> {
    return Effect.onExit(this.#sources.challenge(call, sent, response), (exit) =>
      Telemetry.countChallenge(response.status, exit)
    )
  }

  refusedAgain(
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ): Effect.Effect<void, HeaderError> {
    return this.#sources.refusedAgain(call, sent, response)
  }

  get reconnect(): Effect.Effect<void, HeaderError> {
    return this.#sources.reconnect()
  }

  signIn(owner: CallContext): Effect.Effect<boolean, HeaderError> {
    return Effect.suspend(() => this.#sources.signIn(owner))
  }

  explain(call: CallContext): Effect.Effect<ReadonlyArray<Provenance>, HeaderError> {
    return Effect.map(this.#sources.resolve(call), (resolved) => this.#sources.explain(resolved))
  }
}

/** The same, with the time that it takes to resolve them measured. */
class MeasuredHeaders extends SourceHeaders {
  readonly #services: Context.Context<never>

  constructor(url: URL, sources: ConnectionSources, services: Context.Context<never>) {
    super(url, sources)
    this.#services = services
  }

  override resolve(call: CallContext, before?: ResolvedHeaders): Effect.Effect<ResolvedHeaders, HeaderError> {
    return Telemetry.measured(() => super.resolve(call, before), this.#services)
  }
}

export const make = Effect.gen(function* () {
  const sources = (yield* HeaderSources).toSorted((a, b) => a.rank - b.rank)
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path | TrustGate>()
  const clock = yield* Clock.Clock
  const measuring = yield* Telemetry.MeasureResolving
  const answersOf = new Map<ServerEntry, Map<string, PrincipalAnswers>>()
  const renewals: Renewals = yield* Cache.makeWith(({ answers, source }: Renewal) => answers.ask(source), {
    // Only those who wait share an answer; `latest` is what is kept.
    capacity: Number.POSITIVE_INFINITY,
    timeToLive: () => Duration.zero
  })

  const acquireAnswers = (entry: ServerEntry, owner: CallContext, scope: Scope.Scope) =>
    Effect.suspend(() => {
      const principals = answersOf.get(entry) ?? new Map<string, PrincipalAnswers>()
      answersOf.set(entry, principals)
      const answers = principals.get(owner.principal) ?? new PrincipalAnswers(entry, owner, renewals)
      principals.set(owner.principal, answers)
      answers.connections++
      return Effect.as(
        Scope.addFinalizer(
          scope,
          Effect.sync(() => releaseAnswers(entry, owner.principal))
        ),
        answers
      )
    }).pipe(Effect.uninterruptible)

  const releaseAnswers = (entry: ServerEntry, principal: string) => {
    const principals = answersOf.get(entry)
    const answers = principals?.get(principal)
    if (principals === undefined || answers === undefined || --answers.connections > 0) return
    principals.delete(principal)
    if (principals.size === 0) answersOf.delete(entry)
  }

  const open = Effect.fnUntraced(function* (
    entry: ServerEntry,
    owner: CallContext
  ): Effect.fn.Return<ExplainedHeaders, HeaderError, Scope.Scope> {
    const url = yield* Effect.provide(ServerUrl.evaluate(entry), services)
    const answers = yield* acquireAnswers(entry, owner, yield* Effect.scope)
    const connection = new ConnectionSources({ entry, sources, answers, clock })
    yield* connection.reconnect()
    return measuring ? new MeasuredHeaders(url, connection, services) : new SourceHeaders(url, connection)
  })

  return HeaderResolver.of({
    open,
    explain: (entry, call) => Effect.scoped(Effect.flatMap(open(entry, call), (headers) => headers.explain(call)))
  })
})

/** The resolver over the runtime's sources. */
export const layer: Layer.Layer<HeaderResolver, never, HeaderSources | TrustGate | FileSystem.FileSystem | Path.Path> =
  Layer.effect(HeaderResolver, make)
