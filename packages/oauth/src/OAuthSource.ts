/**
 * The Authorization of whoever signed in at a server.
 *
 * It stands back for every other source of Authorization (design rule 1). A token that lives is there at once; one that
 * is due is renewed while it is still used, one that expired before anything is sent. A refused token is renewed once per
 * generation, however many calls it was refused to. Where a person is needed, a request fails with `SignInRequired`: who
 * makes the connection, or `letterhead login`, signs in (design rule 6).
 *
 * `auth: "auto"` uses what is stored, and asks to sign in where a server answers 401 with a challenge; `"oauth"` asks for
 * it before the first request; with `"none"` this source has no part. What an entry of somebody else's files says of
 * signing in needs an approval (design rule 7), and a token goes to no other URL than the one that was signed in at. One
 * that is bound to a key goes with a proof for each request.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { HeaderError, type HeaderErrorReason, SignInFailed, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as ServerUrl from "@letterhead/core/server/ServerUrl"
import { type ChallengeResponse, type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Challenge from "./discovery/Challenge.ts"
import * as DpopProof from "./proof/DpopProof.ts"
import * as ExchangeSource from "./ExchangeSource.ts"
import * as EntrySettings from "./flow/EntrySettings.ts"
import { type FlowTarget, OAuthFlow } from "./flow/OAuthFlow.ts"
import * as GrantSource from "./GrantSource.ts"
import * as TokenPatch from "./token/TokenPatch.ts"
import * as TokenRecord from "./token/TokenRecord.ts"
import * as Tokens from "./token/Tokens.ts"

export const ID = TokenPatch.ID

/** Whether OAuth can have a part in the calls of an entry. */
export const applies = (entry: ServerEntry): boolean => entry.endpoint.type === "http" && entry.auth !== "none"

type Requirements = SecretStore | OAuthFlow | TrustGate | FileSystem.FileSystem | Path.Path

/** What was found out about one entry for one principal. */
interface Session {
  readonly target: FlowTarget
  readonly key: ReturnType<typeof TokenRecord.keyOf>
  /** What the server said last when it refused a request. */
  challenge: Challenge.OAuthChallenge | undefined
  /** The patch of a generation. */
  patch: HeaderPatch.HeaderPatch | undefined
  /** What a token needs that is bound to a key. */
  readonly proofOf: DpopProof.ProofOf
}

/** Renewals that are under way end with the scope. */
export const make: Effect.Effect<HeaderSource, never, Requirements | Scope.Scope> = Effect.gen(function* () {
  const services = yield* Effect.context<Requirements>()
  const gate = yield* TrustGate
  const flow = yield* OAuthFlow
  const clock = yield* Clock.Clock
  const tokens = yield* Tokens.make
  // By entry and principal: what one is told or given is not another's.
  const sessions = new WeakMap<ServerEntry, RecentlyUsed.RecentlyUsed<Session>>()

  const failed = (entry: ServerEntry) => (reason: HeaderErrorReason | HeaderError) =>
    reason._tag === "HeaderError" ? reason : new HeaderError({ server: entry.name, source: ID, reason })

  const required = (entry: ServerEntry, description: string) =>
    failed(entry)(new SignInRequired({ server: entry.name, description }))

  const sessionOf = Effect.fnUntraced(function* (entry: ServerEntry, { principal }: CallContext) {
    const known = sessions.get(entry)?.get(principal)
    if (known !== undefined && ServerUrl.isFixed(entry)) return known
    const serverUrl = yield* ServerUrl.evaluate(entry)
    // A URL that comes from outside may be another one by now: then what was found out is that of another server.
    if (known?.target.serverUrl.href === serverUrl.href) return known
    const settings = yield* EntrySettings.evaluate(entry)
    const target = { server: entry.name, serverUrl, principal, settings }
    const session: Session = {
      target,
      key: TokenRecord.keyOf(entry.name, serverUrl, principal),
      challenge: undefined,
      patch: undefined,
      proofOf: DpopProof.ofTokens(entry.name, ID)
    }
    const principals = sessions.get(entry) ?? RecentlyUsed.make<Session>()
    sessions.set(entry, principals)
    principals.set(principal, session)
    return session
  })

  /** What the store holds for this server and client; what belongs to another is not used (fault F76). */
  const usable = (session: Session, record: Option.Option<TokenRecord.StoredRecord> | undefined) => {
    const { serverUrl, settings } = session.target
    const found = record === undefined ? undefined : Option.getOrUndefined(record)
    if (found === undefined || found.serverUrl !== serverUrl.href) return undefined
    const client = settings.clientId ?? settings.clientMetadataUrl
    return client === undefined || client === found.clientId ? found : undefined
  }

  const signedIn = (session: Session): TokenRecord.TokenRecord | undefined => {
    const record = usable(session, tokens.held(session.key).record)
    return record?._tag === "SignedIn" ? record : undefined
  }

  const refresh =
    (session: Session): Tokens.Refresh =>
    (record) =>
      usable(session, Option.some(record)) === undefined
        ? Effect.fail(new Tokens.SignInOver({ description: "the sign-in belongs to another URL or client" }))
        : flow.refresh(session.target, record, session.challenge)

  const answer = (entry: ServerEntry, session: Session, record: TokenRecord.TokenRecord) => {
    const { generation } = tokens.held(session.key)
    if (session.patch?.generation !== generation) {
      const place = formatPlace(entry.oauth?.place ?? entry.place)
      const { proofOf } = session
      const made = TokenPatch.make(record, { generation, had: `signed in at ${record.issuer}`, place, proofOf })
      if (Result.isFailure(made)) return Exit.fail(failed(entry)(made.failure))
      session.patch = made.success
    }
    return Exit.succeed(session.patch)
  }

  const nobody = (entry: ServerEntry, session: Session) => {
    const record = usable(session, tokens.held(session.key).record)
    const description = record?._tag === "SignedOut" ? `the sign-in is over: ${record.reason}` : "nobody is signed in"
    return entry.auth === "oauth" ? Exit.fail(required(entry, description)) : NOTHING
  }

  /** Where nothing has to be awaited. */
  const atOnce = (entry: ServerEntry, session: Session) => {
    const { record: known } = tokens.held(session.key)
    if (known === undefined) return undefined
    const record = signedIn(session)
    if (record === undefined) return entry.auth === "oauth" ? undefined : nobody(entry, session)
    const now = clock.currentTimeMillisUnsafe()
    if (record.refreshToken === undefined || !Tokens.isDue(record, now)) {
      return Tokens.isExpired(record, now) ? undefined : answer(entry, session, record)
    }
    return Tokens.isExpired(record, now) || tokens.mayRenew(session.key) ? undefined : answer(entry, session, record)
  }

  const awaited = Effect.fnUntraced(function* (entry: ServerEntry, call: CallContext) {
    const session = yield* sessionOf(entry, call)
    if (signedIn(session) === undefined) yield* load(entry, session)
    yield* signedIn(session) === undefined ? Effect.void : gate.require(entry)
    const record = signedIn(session)
    if (record === undefined) return yield* nobody(entry, session)
    const { generation } = tokens.held(session.key)
    const now = clock.currentTimeMillisUnsafe()
    if (!Tokens.isExpired(record, now)) {
      if (Tokens.isDue(record, now) && record.refreshToken !== undefined && tokens.mayRenew(session.key)) {
        yield* tokens.renewSoon(session.key, refresh(session))
      }
      return yield* answer(entry, session, signedIn(session) ?? record)
    }
    yield* tokens.renew(session.key, generation, refresh(session))
    const renewed = signedIn(session)
    if (renewed !== undefined && !Tokens.isExpired(renewed, clock.currentTimeMillisUnsafe())) {
      return yield* answer(entry, session, renewed)
    }
    if (renewed !== undefined) return yield* required(entry, "the sign-in has expired, and cannot be renewed")
    return yield* nobody(entry, session)
  })

  /** A server that needs no sign-in is not kept from anybody because of a store that cannot be read. */
  const load = (entry: ServerEntry, session: Session) =>
    entry.auth === "oauth"
      ? Effect.asVoid(tokens.load(session.key))
      : Effect.catch(Effect.asVoid(tokens.load(session.key)), (error) =>
          Effect.logWarning(`${error.message}; "${entry.name}" is called without a sign-in`)
        )

  const exchanging = yield* ExchangeSource.make({
    targetOf: (entry, call) =>
      gate.require(entry).pipe(
        Effect.andThen(sessionOf(entry, call)),
        Effect.map(({ target }) => target),
        Effect.provideContext(services)
      ),
    exchange: ({ oauth }, target, subject) =>
      oauth?.exchange === undefined
        ? Effect.die(new Error("the entry says of no exchange"))
        : flow.exchange(target, oauth.exchange, { subject, scopes: oauth.scopes ?? [] })
  })

  const granting = yield* GrantSource.make({
    request: flow.grant,
    challengeOf: (serverUrl) =>
      Effect.provideContext(
        Effect.flatMap(serverChallenge, ({ answerOf }) => answerOf(serverUrl)),
        services
      ),
    urlOf: (entry) => Effect.provideContext(ServerUrl.evaluate(entry), services),
    targetOf: (entry, serverUrl, principal) =>
      EntrySettings.evaluate(entry).pipe(
        Effect.map((settings) => ({ server: entry.name, serverUrl, principal, settings })),
        Effect.provideContext(services)
      )
  })

  const resolve: HeaderSource["resolve"] = (entry, call) => {
    if (entry.oauth?.exchange !== undefined) return exchanging.resolve(entry, call)
    if (entry.oauth?.grant !== undefined) return granting.resolve(entry, call)
    const session = sessions.get(entry)?.get(call.principal)
    const settled = session === undefined || !ServerUrl.isFixed(entry) ? undefined : atOnce(entry, session)
    return settled ?? Effect.provideContext(awaited(entry, call), services)
  }

  const challenge = Effect.fnUntraced(function* (
    entry: ServerEntry,
    call: CallContext,
    sentGeneration: number | undefined,
    said: Challenge.OAuthChallenge | undefined,
    { status }: ChallengeResponse
  ) {
    const session = yield* sessionOf(entry, call)
    const isOlder = () => signedIn(session) !== undefined && tokens.held(session.key).generation !== sentGeneration
    if (sentGeneration === undefined || !isOlder()) {
      const type = sentGeneration === undefined ? undefined : signedIn(session)?.tokenType
      if (type === "DPoP" && Challenge.isOfProof(said)) return false
      session.challenge = said ?? session.challenge
      if (type === "Bearer" && said?.binding?.isRequired === true) return yield* required(entry, UNBOUND)
      if (status === 403) return yield* stepUp(entry, session, said?.scope, isOlder)
      const mayReplace = sentGeneration === undefined || tokens.mayReplace(session.key, sentGeneration)
      yield* sentGeneration === undefined || !mayReplace
        ? tokens.load(session.key)
        : tokens.renew(session.key, sentGeneration, refresh(session))
      // Then the refusal is the caller's, unless somebody else has another token by now.
      if (!mayReplace && signedIn(session) !== undefined) return isOlder()
    }
    if (isOlder()) return true
    if (sentGeneration !== undefined && signedIn(session) !== undefined) {
      return yield* required(entry, "the server refuses the token, and it cannot be renewed")
    }
    const ended = usable(session, tokens.held(session.key).record)
    if (sentGeneration !== undefined || ended !== undefined) {
      return yield* required(entry, `the sign-in is over: ${ended?._tag === "SignedOut" ? ended.reason : "signed out"}`)
    }
    // A server that does not say what it wants does not want OAuth.
    return said === undefined ? false : yield* required(entry, "nobody is signed in, and the server asks for it")
  })

  /** Scopes that were granted already would be granted again: then the refusal is the caller's. */
  const stepUp = Effect.fnUntraced(function* (
    entry: ServerEntry,
    session: Session,
    scope: string | undefined,
    isOlder: () => boolean
  ) {
    const before = signedIn(session)
    if (scope === undefined || before === undefined || TokenRecord.includes(before.scope, scope)) return false
    // Somebody else may have signed in for more by now; if not, the next who signs in asks for it.
    yield* tokens.update(session.key, (current) =>
      Option.map(current, (record) =>
        TokenRecord.includes(record.scope, scope)
          ? record
          : { ...record, missingScope: TokenRecord.union(record.missingScope, scope) ?? scope }
      )
    )
    if (isOlder()) return true
    return yield* required(entry, `the server asks for the scope "${scope}", which was not granted`)
  })

  const signIn = Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext) {
    yield* gate.require(entry)
    // Variables and files may have changed since.
    const before = sessions.get(entry)?.get(owner.principal)
    sessions.get(entry)?.delete(owner.principal)
    const session = yield* sessionOf(entry, owner)
    session.challenge = before?.challenge ?? (yield* challengeOf(session.target))
    const earlier = usable(session, yield* tokens.load(session.key))
    const wanted = entry.oauth?.scopes?.join(" ")
    const scope =
      earlier?.missingScope === undefined
        ? TokenRecord.union(wanted)
        : TokenRecord.union(earlier.scope, wanted, earlier.missingScope)
    const issued = yield* Effect.mapError(
      flow.signIn(session.target, { challenge: session.challenge, scope }),
      failed(entry)
    )
    const { clientId, issuer, resource } = issued
    const metadata = session.challenge?.resourceMetadata?.href
    const bound = {
      clientId,
      issuer,
      resource,
      serverUrl: session.target.serverUrl.href,
      ...(metadata === undefined ? {} : { resourceMetadata: metadata })
    }
    const asked = TokenRecord.union(session.challenge?.scope, scope)
    const record = TokenRecord.issued(
      issued,
      { ...bound, ...(asked === undefined ? {} : { scope: asked }) },
      clock.currentTimeMillisUnsafe()
    )
    yield* tokens.update(session.key, () => Option.some(record))
  })

  return {
    id: ID,
    rank: Rank.oauth,
    lifetime: "call",
    standsBackFor: "Authorization",
    applies,
    resolve,
    challenge: (entry, call, sent, response) => {
      const authorization = sent.get("authorization")
      const generation = authorization?.source === ID ? sent.generations.get(ID) : undefined
      // Whose token does not suffice, no other exchange helps.
      if (entry.oauth?.exchange !== undefined) {
        return response.status === 401 ? exchanging.challenge(entry, call, generation) : Effect.succeed(false)
      }
      const said = Challenge.parse(response.wwwAuthenticate, tokenOf(authorization?.value))
      if (entry.oauth?.grant !== undefined) return granting.challenge(entry, call, generation, said, response)
      return Effect.provideContext(challenge(entry, call, generation, said, response), services)
    },
    signIn: (entry, owner) => {
      if (entry.oauth?.grant !== undefined) return granting.signIn(entry, owner)
      return entry.oauth?.exchange === undefined
        ? Effect.provideContext(signIn(entry, owner), services)
        : Effect.fail(failed(entry)(new SignInFailed({ description: NOBODY })))
    }
  }
})

/** What the server says to somebody without a token, where nothing was sent to it yet. */
const challengeOf = ({ serverUrl }: FlowTarget) => Effect.flatMap(serverChallenge, ({ ask }) => ask(serverUrl))

const serverChallenge = Effect.promise(() => import("./discovery/ServerChallenge.ts"))

const UNBOUND = "the server takes only tokens that are bound to a key (DPoP), and this one is not"

/** An Authorization without its scheme. */
const tokenOf = (value: Redacted.Redacted | undefined): Redacted.Redacted | undefined =>
  value && Redacted.make(Redacted.value(value).replace(/^\S+ +/, ""))

const NOBODY = "nobody signs in here: the token of whoever calls is exchanged"

const NOTHING = Exit.succeed(HeaderPatch.empty(ID, Rank.oauth))
