/**
 * How tokens come to be: what the source of tokens asks of an authorization server and of a person, as a service.
 *
 * {@link layer} does what the MCP authorization specification says. A test, or a runtime whose tokens come in another way,
 * provides one of its own.
 */
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { IssuedTokens, TokenRecord } from "./TokenRecord.ts"
import type { GrantRefused } from "./Tokens.ts"

/** What an entry says of signing in, with its templates evaluated. */
export interface ClientSettings {
  readonly clientId?: string
  readonly clientSecret?: Redacted.Redacted
  readonly callbackPort?: number
  readonly clientMetadataUrl?: string
}

/** What a server said when it refused a request. */
export interface Challenge {
  readonly resourceMetadata?: URL
  readonly scope?: string
}

/** One MCP server, for one principal. */
export interface FlowTarget {
  /** The name of the entry. */
  readonly server: string
  readonly serverUrl: URL
  readonly principal: string
  readonly settings: ClientSettings
}

/** What a sign-in led to. */
export interface SignedIn extends IssuedTokens {
  readonly issuer: string
  readonly resource: string
  readonly clientId: string
}

export class OAuthFlow extends Context.Service<
  OAuthFlow,
  {
    /** Has a person sign in, from discovery to tokens; `scope` is asked for beside what the server names. */
    readonly signIn: (
      target: FlowTarget,
      request: { readonly challenge: Challenge | undefined; readonly scope: string | undefined }
    ) => Effect.Effect<SignedIn, HeaderErrorReason>
    /**
     * Exchanges the refresh token of a record. Fails with `GrantRefused` where that is final: it is not taken any more, or
     * the server names another authorization server, resource or client by now, which then is not asked.
     */
    readonly refresh: (
      target: FlowTarget,
      record: TokenRecord
    ) => Effect.Effect<IssuedTokens, HeaderErrorReason | GrantRefused>
  }
>()("@letterhead/oauth/OAuthFlow") {}
