/**
 * What is kept of a sign-in: tokens, and everything that they are bound to.
 *
 * A token belongs to the authorization server that issued it, to the client it was issued to and to the URL of the MCP
 * server that the person signed in at: where one of them is another by now, it is not sent (fault F76). A sign-in that is
 * over leaves a record without tokens, so that the person can be told why, and asked for the same scopes.
 *
 * It is one secret of the store, as JSON; what cannot be decoded counts as no record.
 */
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import * as ProofKey from "../proof/ProofKey.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** The field of the secret store that holds a record; no field that a person fills in has a blank in its name. */
export const FIELD = "oauth tokens"

/** Where the record of a principal is kept. */
export const keyOf = (server: string, url: URL, principal: string): SecretKey => ({
  principal,
  origin: url.origin,
  server,
  field: FIELD
})

/** What a sign-in is bound to. */
interface Bound {
  /** The `issuer` of the authorization server. */
  readonly issuer: string
  /** The `resource` that the tokens are for. */
  readonly resource: string
  readonly clientId: string
  /** The URL of the MCP server that the person signed in at. */
  readonly serverUrl: string
  /** Where the server said that its metadata is; absent where it did not say. */
  readonly resourceMetadata?: string
  /** What was granted, as the authorization server writes it; where it does not say, what was asked for. */
  readonly scope?: string
  /** What a server asked for that was not granted; the next sign-in asks for it. */
  readonly missingScope?: string
}

/** Somebody is signed in. */
export interface TokenRecord extends Bound {
  readonly _tag: "SignedIn"
  readonly accessToken: Redacted.Redacted
  readonly refreshToken?: Redacted.Redacted
  /** Epoch milliseconds; absent where the authorization server does not say. */
  readonly expiresAt?: number
  /** Epoch milliseconds at which it is renewed, at the earliest. */
  readonly renewAt?: number
  readonly tokenType: "Bearer" | "DPoP"
  /** What the tokens are bound to; there is one where the type is DPoP, and nowhere else. */
  readonly proofKey?: ProofKey.ProofKey
}

/** A sign-in that is over. */
export interface EndedRecord extends Bound {
  readonly _tag: "SignedOut"
  /** Why, a part of a sentence. */
  readonly reason: string
}

export type StoredRecord = TokenRecord | EndedRecord

/** At most so many milliseconds before it expires, and at most this part of its lifetime, a token is renewed. */
export const RENEWAL_MARGIN = 60_000
export const RENEWAL_MARGIN_PART = 0.1

/** What a token endpoint answered. */
export interface IssuedTokens {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken?: Redacted.Redacted
  /** Seconds. */
  readonly expiresIn?: number
  readonly scope?: string
  readonly tokenType: "Bearer" | "DPoP"
  /** What they are bound to, where that is a new key. */
  readonly proofKey?: ProofKey.ProofKey
}

/** The record of tokens that were issued at `now`; what the answer does not say of `earlier` stays. */
export const issued = (
  { accessToken, expiresIn, refreshToken, scope, tokenType, ...issued }: IssuedTokens,
  earlier: Bound & { readonly refreshToken?: Redacted.Redacted; readonly proofKey?: ProofKey.ProofKey },
  now: number
): TokenRecord => {
  const refresh = refreshToken ?? earlier.refreshToken
  const granted = scope ?? earlier.scope
  const proofKey = tokenType === "DPoP" ? (issued.proofKey ?? earlier.proofKey) : undefined
  const lifetime = expiresIn === undefined ? undefined : Math.max(0, expiresIn) * 1_000
  return {
    _tag: "SignedIn",
    ...placesOf(earlier),
    ...(granted === undefined ? {} : { scope: granted }),
    ...(earlier.missingScope === undefined || includes(granted, earlier.missingScope)
      ? {}
      : { missingScope: earlier.missingScope }),
    accessToken,
    ...(refresh === undefined ? {} : { refreshToken: refresh }),
    ...(lifetime === undefined
      ? {}
      : {
          expiresAt: now + lifetime,
          renewAt: now + lifetime - Math.min(RENEWAL_MARGIN, lifetime * RENEWAL_MARGIN_PART)
        }),
    tokenType,
    ...(proofKey === undefined ? {} : { proofKey })
  }
}

/** The same sign-in without its tokens. */
export const ended = (record: StoredRecord, reason: string): EndedRecord => {
  const { missingScope, scope } = record
  return {
    _tag: "SignedOut",
    ...placesOf(record),
    ...(scope === undefined ? {} : { scope }),
    ...(missingScope === undefined ? {} : { missingScope }),
    reason
  }
}

const placesOf = ({ clientId, issuer, resource, resourceMetadata, serverUrl }: Bound) => ({
  issuer,
  resource,
  clientId,
  serverUrl,
  ...(resourceMetadata === undefined ? {} : { resourceMetadata })
})

/** The scopes of all, each once, in the order they come; `undefined` where there are none. */
export const union = (...scopes: ReadonlyArray<string | undefined>): string | undefined => {
  const all = new Set(scopes.flatMap(wordsOf))
  return all.size === 0 ? undefined : [...all].join(" ")
}

/** Whether what was granted holds all of `wanted`. */
export const includes = (granted: string | undefined, wanted: string): boolean => {
  const has = new Set(wordsOf(granted))
  return wordsOf(wanted).every((scope) => has.has(scope))
}

const wordsOf = (scope: string | undefined): ReadonlyArray<string> =>
  (scope ?? "").split(/\s+/).filter((word) => word.length > 0)

/** The value of the store. */
export const encode = (record: StoredRecord): Redacted.Redacted => {
  const { _tag, ...rest } = record
  return Redacted.make(
    JSON.stringify(
      record._tag === "SignedOut"
        ? { version: VERSION, ...rest }
        : {
            version: VERSION,
            ...rest,
            accessToken: Redacted.value(record.accessToken),
            ...(record.refreshToken === undefined ? {} : { refreshToken: Redacted.value(record.refreshToken) }),
            ...(record.proofKey === undefined ? {} : { proofKey: ProofKey.toPrivateKey(record.proofKey) })
          }
    ),
    { label: FIELD }
  )
}

/** The record of a value; none where it is none, whatever it is. */
export const decode = (value: Option.Option<Redacted.Redacted>): Effect.Effect<Option.Option<StoredRecord>> =>
  Option.isNone(value)
    ? Effect.succeedNone
    : Schema.decodeEffect(Stored)(Redacted.value(value.value)).pipe(
        Effect.map((stored) => Option.some(recordOf(stored))),
        // The schema's own message would quote the tokens.
        Effect.orElseSucceed(() => Option.none())
      )

const recordOf = ({ version: _version, ...stored }: typeof Stored.Type): StoredRecord => {
  if ("reason" in stored) return { _tag: "SignedOut", ...stored }
  const { accessToken, proofKey: kept, refreshToken, ...rest } = stored
  const proofKey = rest.tokenType === "DPoP" ? Option.getOrUndefined(decodeKey(kept)) : undefined
  const record: TokenRecord = {
    _tag: "SignedIn",
    ...rest,
    ...(proofKey === undefined ? {} : { proofKey: ProofKey.fromPrivateKey(proofKey) }),
    accessToken: Redacted.make(accessToken, { label: "access token" }),
    ...(refreshToken === undefined ? {} : { refreshToken: Redacted.make(refreshToken, { label: "refresh token" }) })
  }
  return rest.tokenType === "DPoP" && proofKey === undefined ? ended(record, KEY_BROKEN) : record
}

const KEY_BROKEN = "the key that its token is bound to is missing or broken"

/** The version of the form. */
const VERSION = 1

const bound = {
  version: Schema.Literal(VERSION),
  issuer: Schema.String,
  resource: Schema.String,
  clientId: Schema.String,
  serverUrl: Schema.String,
  resourceMetadata: Schema.optionalKey(Schema.String),
  scope: Schema.optionalKey(Schema.String),
  missingScope: Schema.optionalKey(Schema.String)
}

const decodeKey = Schema.decodeUnknownOption(ProofKey.PrivateKey)

const Token = Schema.String.check(Schema.isMinLength(1))

const Stored = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ ...bound, reason: Schema.String }),
    Schema.Struct({
      ...bound,
      accessToken: Token,
      refreshToken: Schema.optionalKey(Token),
      expiresAt: Schema.optionalKey(Schema.Finite),
      renewAt: Schema.optionalKey(Schema.Finite),
      tokenType: Schema.Literals(["Bearer", "DPoP"]),
      // Looked at by itself: without it a sign-in is over, and who signed in is told so.
      proofKey: Schema.optionalKey(Schema.Unknown)
    })
  ])
)
