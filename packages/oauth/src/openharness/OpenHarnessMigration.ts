/**
 * Sign-ins of OpenHarness, used until there is one of our own.
 *
 * Where the store has no record of a sign-in, the one that OpenHarness keeps stands in for it; the first change of it is
 * stored here, and what OpenHarness keeps is left as it is. Which sign-ins those are, `find` says: this module knows
 * neither configuration nor keychain.
 *
 * OpenHarness does not say which authorization server its tokens are of. That is found out when they are renewed, before
 * anything is sent, and from then on they are bound to it as any others (fault F76). Before that a warning says that
 * OpenHarness may be signed out by it: where refresh tokens are given out once, the two cannot share one.
 */
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import { isSame, type SecretKey } from "@letterhead/core/secrets/SecretKey"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Challenge, OAuthFlow } from "../flow/OAuthFlow.ts"
import type { OpenHarnessTokens } from "./OpenHarnessTokens.ts"
import * as TokenRecord from "../token/TokenRecord.ts"
import { SignInOver } from "../token/Tokens.ts"

/** A sign-in that OpenHarness keeps, and the server that it is for. */
export interface ForeignSignIn {
  readonly tokens: OpenHarnessTokens
  /** The URL of the MCP server. */
  readonly serverUrl: URL
}

export interface MigrationOptions {
  readonly store: SecretStore["Service"]
  /** The keys that OpenHarness may have something for. */
  readonly keys: Effect.Effect<ReadonlyArray<SecretKey>>
  readonly find: (key: SecretKey) => Effect.Effect<Option.Option<ForeignSignIn>>
}

export interface Migration {
  /** The store, as if what OpenHarness keeps were in it. */
  readonly store: SecretStore["Service"]
  /** A flow that can renew it. */
  readonly flow: (flow: OAuthFlow["Service"]) => OAuthFlow["Service"]
}

/** Where `list` says that such a sign-in is kept. */
export const KEPT_IN = "OpenHarness"

/** The issuer, resource and client of a record of which OpenHarness does not say it; no server has such. */
const UNKNOWN = ""

export const make = ({ find, keys, store }: MigrationOptions): Migration => {
  /** By access token, of the records that were made of what OpenHarness keeps. */
  const foreign = new Map<string, OpenHarnessTokens>()
  /** By access token, what such a record turned out to be bound to. */
  const bindings = new Map<string, Binding>()

  const look = (key: SecretKey) =>
    key.field === TokenRecord.FIELD
      ? Effect.map(
          find(key),
          Option.map((found) => {
            foreign.set(Redacted.value(found.tokens.accessToken), found.tokens)
            return TokenRecord.encode(recordOf(found))
          })
        )
      : Effect.succeedNone

  const standIn = (key: SecretKey, own: Option.Option<Redacted.Redacted>) =>
    Option.isSome(own) ? Effect.succeed(own) : look(key)

  const bound = Effect.fnUntraced(function* (
    before: Option.Option<Redacted.Redacted>,
    after: Option.Option<Redacted.Redacted>
  ) {
    const earlier = Option.getOrUndefined(yield* TokenRecord.decode(before))
    const later = Option.getOrUndefined(yield* TokenRecord.decode(after))
    if (earlier?._tag !== "SignedIn" || later === undefined) return after
    const binding = bindings.get(Redacted.value(earlier.accessToken))
    return binding === undefined || later.issuer !== earlier.issuer
      ? after
      : Option.some(TokenRecord.encode({ ...later, ...binding }))
  })

  return {
    store: {
      ...store,
      get: (key) => Effect.flatMap(store.get(key), (own) => standIn(key, own)),
      modify: (key, change) =>
        store.modify(key, (own) =>
          Effect.gen(function* () {
            const current = yield* standIn(key, own)
            const [answer, next] = yield* change(current)
            if (Option.isSome(own)) return [answer, next] as const
            // Reading alone moves nothing.
            if (isSameValue(current, next)) return [answer, own] as const
            return [answer, yield* bound(current, next)] as const
          })
        ),
      list: Effect.gen(function* () {
        const own = yield* store.list
        const others = (yield* keys).filter((key) => !own.some((secret) => isSame(secret, key)))
        const found = yield* Effect.filter(others, (key) => Effect.map(look(key), Option.isSome))
        return [...own, ...found.map((key) => ({ ...key, keptIn: KEPT_IN }))]
      })
    },
    flow: (flow) => ({
      ...flow,
      refresh: Effect.fnUntraced(function* (target, record, challenge) {
        const accessToken = Redacted.value(record.accessToken)
        const tokens = foreign.get(accessToken)
        if (tokens === undefined || record.resource !== UNKNOWN) return yield* flow.refresh(target, record, challenge)
        yield* Effect.logWarning(
          `"${target.server}" was signed in to by OpenHarness, and its sign-in is renewed now: this signs OpenHarness ` +
            `itself out where the authorization server gives out each refresh token once`
        )
        const binding = yield* bindingOf(target.serverUrl, tokens, challenge)
        bindings.set(accessToken, binding)
        if (target.settings.clientId === undefined) yield* rememberClient(target, record.clientId, tokens, binding)
        return yield* flow.refresh(target, { ...record, ...binding }, challenge)
      })
    })
  }

  function rememberClient(
    target: Parameters<OAuthFlow["Service"]["refresh"]>[0],
    id: string,
    { clientSecret: secret }: OpenHarnessTokens,
    { issuer }: Binding
  ): Effect.Effect<void, HeaderErrorReason> {
    return Effect.gen(function* () {
      const { keyOf } = yield* Effect.promise(() => import("../client/ClientRegistration.ts"))
      const RegisteredClients = yield* Effect.promise(() => import("../client/RegisteredClients.ts"))
      yield* store.modify(keyOf(target, issuer), (current) =>
        Effect.map(RegisteredClients.decode(current), (known) => {
          if (known.some((client) => client.id === id)) return [undefined, current] as const
          const client = { id, issuer, ...(secret === undefined ? {} : { secret }) }
          return [undefined, Option.some(RegisteredClients.encode([...known, client]))] as const
        })
      )
    }).pipe(Effect.mapError(({ reason }) => reason))
  }
}

type Binding = Pick<TokenRecord.TokenRecord, "issuer" | "resource" | "resourceMetadata">

/** What the server names now; where OpenHarness says who issued the tokens, it has to be the same. */
const bindingOf = Effect.fnUntraced(function* (
  serverUrl: URL,
  tokens: OpenHarnessTokens,
  refusal: Challenge | undefined
) {
  // Loaded here because it is needed once for each sign-in that moves.
  const AuthorizationServer = yield* Effect.promise(() => import("../discovery/AuthorizationServer.ts"))
  const OAuthFetch = yield* Effect.promise(() => import("../http/OAuthFetch.ts"))
  const { ask } = yield* Effect.promise(() => import("../discovery/ServerChallenge.ts"))
  // Some say only there where their metadata is: taken for servers without any, they would get the refresh token themselves.
  const said = refusal ?? (yield* ask(serverUrl))
  const { issuer, resource } = yield* Effect.scoped(
    Effect.flatMap(OAuthFetch.make({ serverUrl }), (fetch) =>
      AuthorizationServer.discover({ serverUrl, fetch, ...(said === undefined ? {} : { challenge: said }) })
    )
  )
  if (tokens.issuer !== undefined && tokens.issuer !== issuer) {
    return yield* new SignInOver({ description: "the server names another authorization server by now" })
  }
  const resourceMetadata = said?.resourceMetadata?.href
  return { issuer, resource, ...(resourceMetadata === undefined ? {} : { resourceMetadata }) }
})

const recordOf = ({ serverUrl, tokens }: ForeignSignIn): TokenRecord.TokenRecord => {
  const { accessToken, clientId, expiresAt, issuer, refreshToken, scope } = tokens
  return {
    _tag: "SignedIn",
    issuer: issuer ?? UNKNOWN,
    resource: UNKNOWN,
    clientId: clientId ?? UNKNOWN,
    serverUrl: serverUrl.href,
    ...(scope === undefined ? {} : { scope }),
    accessToken,
    // Without its client a refresh token is of no use to anybody.
    ...(refreshToken === undefined || clientId === undefined ? {} : { refreshToken }),
    // Not renewed before it expires: OpenHarness may do that meanwhile.
    ...(expiresAt === undefined ? {} : { expiresAt, renewAt: expiresAt }),
    tokenType: "Bearer"
  }
}

const isSameValue = (a: Option.Option<Redacted.Redacted>, b: Option.Option<Redacted.Redacted>): boolean =>
  Option.isSome(a) && Option.isSome(b) && Redacted.value(a.value) === Redacted.value(b.value)
