/**
 * What this program is to one authorization server: an id, and what it proves itself with.
 *
 * A client belongs to the issuer that gave it out, or that it was registered at beforehand; requests to another are
 * refused before they are made (fault F76).
 */
import type * as Redacted from "effect/Redacted"

export interface OAuthClient {
  readonly id: string
  readonly issuer: string
  /** Default: a public client, or one with a key. */
  readonly secret?: Redacted.Redacted
  /** How it authenticates, where its registration says. Default: what the authorization server supports. */
  readonly method?: string
  /** Signs assertions in the place of a secret (`private_key_jwt`). */
  readonly key?: ClientKey
}

export interface ClientKey {
  /** PKCS #8, as PEM. */
  readonly privateKey: Redacted.Redacted
  /** Of JWS, such as `ES256`. */
  readonly algorithm: string
}
