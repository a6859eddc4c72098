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
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { CallContext } from "./call/CallContext.ts"
import { HeaderError } from "./headers/HeaderError.ts"
import type { HeaderPatch } from "./headers/HeaderPatch.ts"
import { merge, none, type Provenance, type ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import * as ServerUrl from "./server/ServerUrl.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import type { ChallengeResponse, HeaderSource } from "./sources/HeaderSource.ts"
import { HeaderSources } from "./sources/HeaderSources.ts"
import type { TrustGate } from "./trust/TrustGate.ts"

/** The headers of one connection: of one server, for one principal. */
export interface ConnectionHeaders {
  /** The absolute URL of the server, with its template evaluated. Headers go to its origin and nowhere else. */
  readonly url: URL
  /** The headers of one request; renews what has expired. */
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

/** The latest answers of the sources for one principal and server, shared by its connections. */
interface Answers {
  connections: number
  readonly latest: Map<string, HeaderPatch>
  /** Asks a source anew; all who ask for the successor of one generation share one answer. */
  readonly renewals: Cache.Cache<string, HeaderPatch, HeaderError>
}

export const make = Effect.gen(function* () {
  const sources = (yield* HeaderSources).toSorted((a, b) => a.rank - b.rank)
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path | TrustGate>()
  const clock = yield* Clock.Clock
  const answersOf = new Map<ServerEntry, Map<string, Answers>>()

  const makeAnswers = Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext) {
    const latest = new Map<string, HeaderPatch>()
    // As the sources gave them: what a source kept and gives again is no new answer.
    const given = new Map<string, HeaderPatch>()
    const renewals = yield* Cache.makeWith(
      Effect.fnUntraced(function* (key: string) {
        const source = sources.find((candidate) => key.startsWith(`${candidate.id}#`))
        if (source === undefined) return yield* Effect.die(new Error(`no source for ${key}`))
        const answer = yield* source.resolve(entry, owner, none)
        const before = latest.get(source.id)
        if (before !== undefined && given.get(source.id) === answer) return before
        const patch = { ...answer, generation: (before?.generation ?? 0) + 1 }
        given.set(source.id, answer)
        latest.set(source.id, patch)
        return patch
      }),
      // Only those who wait share an answer; `latest` is what is kept.
      { capacity: sources.length + 1, timeToLive: () => Duration.zero }
    )
    return { connections: 0, latest, renewals } satisfies Answers
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
  ): Effect.fn.Return<ConnectionHeaders, HeaderError, Scope.Scope> {
    const url = yield* Effect.provide(ServerUrl.evaluate(entry), services)
    const answers = yield* acquireAnswers(entry, owner)
    const renew = (source: HeaderSource) =>
      Cache.get(answers.renewals, `${source.id}#${answers.latest.get(source.id)?.generation ?? 0}`)

    const held = new Map<string, HeaderPatch>()
    // Answers that had expired when they came: each is good for one request, or the server would never be asked.
    const unused = new WeakSet<HeaderPatch>()
    let merged: ResolvedHeaders | undefined
    const hold = (source: HeaderSource, patch: HeaderPatch) => {
      held.set(source.id, patch)
      if (isSpent(patch, clock)) unused.add(patch)
      merged = undefined
    }
    const perCall = sources.some((source) => source.lifetime === "call")
    const connectionSources = sources.filter((source) => source.lifetime === "connection")
    const reconnect = Effect.gen(function* () {
      const renewed: Array<readonly [source: HeaderSource, patch: HeaderPatch]> = []
      for (const source of connectionSources) renewed.push([source, yield* renew(source)])
      for (const [source, patch] of renewed) {
        // A refusal that came meanwhile may have led to an answer that is newer still.
        if (patch.generation > (held.get(source.id)?.generation ?? 0)) hold(source, patch)
      }
    })
    yield* reconnect

    /** The successor of what the connection holds: one that somebody else got, or a new one. */
    const succeed = Effect.fnUntraced(function* (source: HeaderSource, generation: number) {
      const latest = answers.latest.get(source.id)
      hold(
        source,
        latest !== undefined && latest.generation > generation && !isSpent(latest, clock)
          ? latest
          : yield* renew(source)
      )
    })

    const resolve = Effect.fnUntraced(function* (call: CallContext): Effect.fn.Return<ResolvedHeaders, HeaderError> {
      for (const source of connectionSources) {
        const patch = held.get(source.id)
        if (patch === undefined || (isSpent(patch, clock) && !unused.has(patch))) {
          yield* succeed(source, patch?.generation ?? 0)
        }
        const current = held.get(source.id)
        if (current !== undefined) unused.delete(current)
      }
      if (!perCall && merged !== undefined) return merged
      const patches: Array<HeaderPatch> = []
      for (const source of sources) {
        const kept = held.get(source.id)
        const patch = kept ?? (yield* source.resolve(entry, call, yield* mergeFor(entry, patches)))
        patches.push(patch)
      }
      const resolved = yield* mergeFor(entry, patches)
      if (!perCall) merged = resolved
      return resolved
    })

    const challenge = Effect.fnUntraced(function* (
      call: CallContext,
      sent: ResolvedHeaders,
      response: ChallengeResponse
    ): Effect.fn.Return<"retry" | "give up", HeaderError> {
      for (const source of challenged(sources, sent, response)) {
        const sentGeneration = sent.generations.get(source.id) ?? 0
        if ((held.get(source.id)?.generation ?? 0) > sentGeneration) return "retry"
        const renewable = source.challenge === undefined ? false : yield* source.challenge(entry, call, sent, response)
        if (!renewable) continue
        // Somebody may have renewed it while the source was asked.
        if ((held.get(source.id)?.generation ?? 0) <= sentGeneration) yield* succeed(source, sentGeneration)
        return "retry"
      }
      return "give up"
    })

    return { url, resolve, challenge, reconnect }
  })

  return HeaderResolver.of({
    open,
    explain: (entry, call) =>
      Effect.scoped(
        Effect.flatMap(open(entry, call), (headers) =>
          Effect.map(headers.resolve(call), (resolved) => resolved.provenance)
        )
      )
  })
})

/** The resolver over the runtime's sources. */
export const layer: Layer.Layer<HeaderResolver, never, HeaderSources | TrustGate | FileSystem.FileSystem | Path.Path> =
  Layer.effect(HeaderResolver, make)

const isSpent = (patch: HeaderPatch, clock: Clock.Clock): boolean =>
  patch.expiresAt !== undefined && clock.currentTimeMillisUnsafe() >= patch.expiresAt

/**
 * The sources to ask about a refusal, in order (design rule 6): the one whose Authorization was sent and no other;
 * where none was sent, those that take challenges, highest first. A 403 concerns a helper's credential alone, and
 * only where it is not about scope.
 */
const challenged = (
  sources: ReadonlyArray<HeaderSource>,
  sent: ResolvedHeaders,
  response: ChallengeResponse
): ReadonlyArray<HeaderSource> => {
  const winner = sent.get("authorization")?.source
  const candidates = sources
    .filter((source) => source.challenge !== undefined && (winner === undefined || source.id === winner))
    .toReversed()
  if (response.status === 401) return candidates
  if (response.status !== 403 || /\binsufficient_scope\b/.test(response.wwwAuthenticate ?? "")) return []
  return candidates.filter((source) => source.id === "helper")
}

const mergeFor = (entry: ServerEntry, patches: ReadonlyArray<HeaderPatch>) =>
  Effect.fromResult(Result.mapError(merge(patches), (reason) => new HeaderError({ server: entry.name, reason })))
