/**
 * The token of an entry whose grant needs no person: client credentials, an assertion, or an id token.
 *
 * With `auth: "oauth"` it is got before the first request; with `"auto"` where a server answers 401 with a challenge, inside
 * that request, since nobody is asked anything. It is kept in memory, for one principal, entry and URL, and stored nowhere.
 * What the entry presents is read anew for each token; the key that one is bound to is kept beside it, and binds the next.
 * A 403 for want of a scope leads to a token that was asked for with that scope as well, once for each scope and
 * {@link STEP_UPS} times at most.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { HeaderError, type HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { NAMES } from "@letterhead/core/server/GrantNames"
import { formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as ServerUrl from "@letterhead/core/server/ServerUrl"
import { type ChallengeResponse, Rank } from "@letterhead/core/sources/HeaderSource"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Challenge from "./discovery/Challenge.ts"
import type { FlowTarget, GrantRequest, SignedIn } from "./flow/OAuthFlow.ts"
import type { Unanswered } from "./discovery/ServerChallenge.ts"
import * as DpopProof from "./proof/DpopProof.ts"
import type { ProofKey } from "./proof/ProofKey.ts"
import * as RepeatableToken from "./token/RepeatableToken.ts"
import * as TokenPatch from "./token/TokenPatch.ts"
import * as TokenRecord from "./token/TokenRecord.ts"

/** Tokens with further scopes that one principal is worth at one entry: a server could name ever new ones. */
export const STEP_UPS = 8

interface Granted {
  readonly patch: HeaderPatch.HeaderPatch
  readonly expiresIn?: number
  /** What was granted, with what was asked for beside. */
  readonly scope: string | undefined
}

interface Session {
  readonly serverUrl: URL
  readonly token: RepeatableToken.RepeatableToken<Granted>
  /** Whether calls carry a token: from the start, or since the server asked for one. */
  wanted: boolean
  /** What the server said last when it refused a request. */
  challenge: Challenge.OAuthChallenge | undefined
  /** Whether the server was asked what it wants, and that is settled. */
  asked: boolean
  /** What the server found missing, and is asked for with each token since one was given for it. */
  readonly missing: Set<string>
  /** What it found missing, until a request says whether a token is given for it. */
  readonly sought: Set<string>
  /** What the last token is bound to. */
  proofKey: ProofKey | undefined
  readonly proofOf: DpopProof.ProofOf
  /** What it found missing and was asked for, whatever came of it. */
  readonly stepUps: Set<string>
}

const ID = TokenPatch.ID

export const make = Effect.fnUntraced(function* (options: {
  readonly request: (target: FlowTarget, request: GrantRequest) => Effect.Effect<SignedIn, HeaderErrorReason>
  /** What the server says to somebody without a token; fails where it does not answer. */
  readonly challengeOf: (serverUrl: URL) => Effect.Effect<Challenge.OAuthChallenge | undefined, Unanswered>
  /** What the entry says now; asks the trust gate. */
  readonly targetOf: (entry: ServerEntry, serverUrl: URL, principal: string) => Effect.Effect<FlowTarget, HeaderError>
  /** What the URL of the entry is now. */
  readonly urlOf: (entry: ServerEntry) => Effect.Effect<URL, HeaderError>
}) {
  const repeat = yield* RepeatableToken.make
  // By entry and principal: what one is given is not another's.
  const sessions = new WeakMap<ServerEntry, RecentlyUsed.RecentlyUsed<Session>>()

  const sessionOf = Effect.fnUntraced(function* (entry: ServerEntry, { principal }: CallContext) {
    const serverUrl = yield* options.urlOf(entry)
    const principals = sessions.get(entry) ?? RecentlyUsed.make<Session>({ isIdle: ({ token }) => !token.isPending() })
    sessions.set(entry, principals)
    const known = principals.get(principal)
    // A URL that comes from outside may be another one by now: then what was got is for another server.
    if (known?.serverUrl.href === serverUrl.href) return known
    const session: Session = {
      serverUrl,
      token: repeat((generation) => ask(entry, session, principal, generation)),
      wanted: entry.auth === "oauth",
      challenge: undefined,
      asked: false,
      missing: new Set(),
      sought: new Set(),
      proofKey: undefined,
      proofOf: DpopProof.ofTokens(entry.name, ID),
      stepUps: new Set()
    }
    principals.set(principal, session)
    return session
  })

  const ask = Effect.fnUntraced(function* (
    entry: ServerEntry,
    session: Session,
    principal: string,
    generation: number
  ): Effect.fn.Return<Granted, HeaderError> {
    const { proofKey, proofOf, serverUrl, sought, stepUps } = session
    const added = [...sought]
    const missing = TokenRecord.union(...session.missing, ...added)
    const target = yield* options.targetOf(entry, serverUrl, principal)
    // Before a first request nobody was refused yet, and only the server's own words say where its metadata is.
    if (session.challenge === undefined && !session.asked) {
      const said = yield* Effect.option(options.challengeOf(serverUrl))
      session.asked = Option.isSome(said)
      session.challenge ??= Option.getOrUndefined(said)
    }
    const { challenge } = session
    const issued = yield* Effect.mapError(
      options.request(target, { challenge, missing, proofKey, scopes: entry.oauth?.scopes }).pipe(
        // Here, since whoever asked for more may be gone by now.
        Effect.tapError(({ _tag }) =>
          Effect.sync(() => {
            for (const scope of added) {
              // Who refused it would refuse all that is asked for with it.
              sought.delete(scope)
              if (_tag === "TokenFailed") stepUps.delete(scope)
            }
          })
        )
      ),
      failed(entry)
    )
    session.asked = true
    for (const scope of added) {
      sought.delete(scope)
      session.missing.add(scope)
    }
    const place = formatPlace(entry.oauth?.place ?? entry.place)
    const had = `${nameOf(entry)} at ${issued.issuer}`
    const patch = yield* Effect.mapError(
      Effect.fromResult(TokenPatch.make(issued, { generation, had, place, proofOf })),
      failed(entry)
    )
    session.proofKey = issued.proofKey
    return {
      patch,
      scope: TokenRecord.union(issued.scope, missing),
      ...(issued.expiresIn === undefined ? {} : { expiresIn: issued.expiresIn })
    }
  })

  /** A token for a scope that the one of a generation lacks. */
  const stepUp = Effect.fnUntraced(function* (
    session: Session,
    generation: number | undefined,
    scope: string | undefined
  ): Effect.fn.Return<boolean, HeaderError> {
    const { sought, stepUps, token } = session
    const held = token.held()
    if (scope === undefined || held === undefined || generation === undefined) return false
    if (TokenRecord.includes(held.value.scope, scope)) return held.generation !== generation
    if (stepUps.has(scope)) {
      // Somebody else may be asking for it right now.
      return TokenRecord.includes((yield* token.latest)?.value.scope, scope)
    }
    if (stepUps.size >= STEP_UPS) return false
    stepUps.add(scope)
    sought.add(scope)
    // What is asked for without it already comes first.
    yield* Effect.flatMap(token.renew(held.generation), ({ generation, value }) =>
      TokenRecord.includes(value.scope, scope) ? Effect.void : Effect.asVoid(token.renew(generation))
    ).pipe(
      // Where this waited for a request that began before, nobody said anything of it.
      Effect.onError(() => Effect.sync(() => void (sought.delete(scope) && stepUps.delete(scope))))
    )
    return true
  })

  const answer = (session: Session): Effect.Effect<HeaderPatch.HeaderPatch, HeaderError> => {
    if (!session.wanted) return NOTHING
    const settled = session.token.settled()
    return settled === undefined
      ? Effect.map(session.token.get, ({ value }) => value.patch)
      : Exit.succeed(settled.value.patch)
  }

  return {
    resolve: (entry: ServerEntry, call: CallContext): Effect.Effect<HeaderPatch.HeaderPatch, HeaderError> => {
      const known = sessions.get(entry)?.get(call.principal)
      return known === undefined || !ServerUrl.isFixed(entry)
        ? Effect.flatMap(sessionOf(entry, call), answer)
        : answer(known)
    },
    challenge: Effect.fnUntraced(function* (
      entry: ServerEntry,
      call: CallContext,
      generation: number | undefined,
      said: Challenge.OAuthChallenge | undefined,
      { status }: ChallengeResponse
    ): Effect.fn.Return<boolean, HeaderError> {
      const session = yield* sessionOf(entry, call)
      const held = session.token.held()
      const isOfProof = held?.value.patch.proof !== undefined && Challenge.isOfProof(said)
      if (isOfProof && held?.generation === generation) return false
      if (status === 403) return yield* stepUp(session, generation, said?.scope)
      // A server that does not say what it wants does not want OAuth.
      if (generation === undefined && said === undefined) return false
      session.challenge = said ?? session.challenge
      session.wanted = true
      return session.token.forget(generation)
    }),
    /** A token now, whether there is one already or not. */
    signIn: Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext): Effect.fn.Return<void, HeaderError> {
      const session = yield* sessionOf(entry, owner)
      session.wanted = true
      yield* session.token.renew(session.token.held()?.generation)
    })
  }
})

const failed = (entry: ServerEntry) => (reason: HeaderErrorReason) =>
  new HeaderError({ server: entry.name, source: ID, reason })

const NOTHING = Exit.succeed(HeaderPatch.empty(ID, Rank.oauth))

/** What a grant is called where it is told of. */
const nameOf = ({ oauth }: ServerEntry): string =>
  oauth?.grant === undefined ? "a sign-in" : NAMES[oauth.grant.type].source
