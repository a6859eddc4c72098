/**
 * The clients that were registered at one issuer, the newest first, as one secret of the store.
 *
 * What cannot be decoded counts as none; a secret that has expired, or a client of another issuer, is not used.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { OAuthClient } from "./OAuthClient.ts"

export interface RegisteredClient {
  readonly id: string
  readonly issuer: string
  readonly secret?: Redacted.Redacted
  /** Epoch milliseconds; absent where it does not expire. */
  readonly secretExpiresAt?: number
  readonly method?: string
  /** The one that it was registered with. */
  readonly redirectUri?: string
}

/** So many are kept: tokens of older ones have long expired. */
export const CLIENT_LIMIT = 5

export const toClient = ({ id, issuer, method, secret }: RegisteredClient): OAuthClient => ({
  id,
  issuer,
  ...(secret === undefined ? {} : { secret }),
  ...(method === undefined ? {} : { method })
})

/** Whether a client is one of this issuer and its secret still holds. */
export const isUsable = (client: RegisteredClient, issuer: string, now: number): boolean =>
  client.issuer === issuer && (client.secretExpiresAt === undefined || client.secretExpiresAt > now)

export const encode = (clients: ReadonlyArray<RegisteredClient>): Redacted.Redacted =>
  Redacted.make(
    JSON.stringify({
      version: VERSION,
      clients: clients.slice(0, CLIENT_LIMIT).map(({ secret, ...client }) => ({
        ...client,
        ...(secret === undefined ? {} : { secret: Redacted.value(secret) })
      }))
    }),
    { label: "oauth clients" }
  )

export const decode = (value: Option.Option<Redacted.Redacted>): Effect.Effect<ReadonlyArray<RegisteredClient>> =>
  Option.isNone(value)
    ? Effect.succeed([])
    : Schema.decodeEffect(Stored)(Redacted.value(value.value)).pipe(
        Effect.map(({ clients }) =>
          clients.map(({ secret, ...client }) => ({
            ...client,
            ...(secret === undefined ? {} : { secret: Redacted.make(secret) })
          }))
        ),
        // The schema's own message would quote the secrets.
        Effect.orElseSucceed(() => [])
      )

const VERSION = 1

const Stored = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(VERSION),
    clients: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        issuer: Schema.String,
        secret: Schema.optionalKey(Schema.String),
        secretExpiresAt: Schema.optionalKey(Schema.Finite),
        method: Schema.optionalKey(Schema.String),
        redirectUri: Schema.optionalKey(Schema.String)
      })
    )
  })
)
