/**
 * How tokens come to be: what the source of tokens asks of an authorization server and of a person, as a service.
 *
 * {@link layer} does what the MCP authorization specification says; it loads that, and the SDK with it, when somebody
 * signs in or a token is renewed. A test, or a runtime whose tokens come in another way, provides one of its own.
 */
import type { HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { TokenExchange } from "@letterhead/core/server/ServerEntry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { ClientKey } from "../client/OAuthClient.ts"
import type { ProofKey } from "../proof/ProofKey.ts"
import type { SignIn } from "../signin/SignIn.ts"
import type { IssuedTokens, TokenRecord } from "../token/TokenRecord.ts"
import type { SignInOver } from "../token/Tokens.ts"

/** What an entry says of signing in, with its templates evaluated. */
export interface ClientSettings {
  readonly clientId?: string
  readonly clientSecret?: Redacted.Redacted
  readonly callbackPort?: number
  readonly clientMetadataUrl?: string
  /** Where nobody signs in. */
  readonly grant?: GrantSettings
}

/** A grant for which nobody signs in, with its templates evaluated; see `Grant` of the entry. */
export type GrantSettings = { readonly key?: ClientKey; readonly issuer?: string } & (
  | { readonly type: "client_credentials" }
  | { readonly type: "jwt_bearer"; readonly assertion: Redacted.Redacted }
  | {
      readonly type: "id_jag"
      readonly idToken: Redacted.Redacted
      readonly identityProvider: {
        readonly issuer: string
        readonly tokenEndpoint?: string
        readonly clientId: string
        readonly clientSecret?: Redacted.Redacted
      }
    }
)

/** What a token is asked for with a grant. */
export interface GrantRequest {
  /** What the server said when it refused a request, as far as that is known. */
  readonly challenge: Challenge | undefined
  /** Asked for in the place of those that the server's metadata lists. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** Asked for beside: what the server found missing. */
  readonly missing: string | undefined
  /** What the token before is bound to; the next one goes on with it. */
  readonly proofKey?: ProofKey | undefined
}

/** What a server said when it refused a request. */
export interface Challenge {
  readonly resourceMetadata?: URL
  readonly scope?: string
  /** Present where it takes tokens that are bound to a key (RFC 9449). */
  readonly binding?: {
    /** Whether it takes no others. */
    readonly isRequired: boolean
    /** Of JWS; absent where it does not say. */
    readonly algorithms?: ReadonlyArray<string>
  }
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
     * Exchanges the refresh token of a record. Fails with `SignInOver` where that is final: it is not taken any more, or
     * the server names another authorization server, resource or client by now, which then is not asked.
     */
    readonly refresh: (
      target: FlowTarget,
      record: TokenRecord,
      challenge: Challenge | undefined
    ) => Effect.Effect<IssuedTokens, HeaderErrorReason | SignInOver>
    /** Exchanges the token of a caller at the token endpoint that the entry names (RFC 8693). */
    readonly exchange: (
      target: FlowTarget,
      settings: TokenExchange,
      request: { readonly subject: Redacted.Redacted; readonly scopes: ReadonlyArray<string> }
    ) => Effect.Effect<IssuedTokens, HeaderErrorReason>
    /** Gets a token by the grant of the target's settings; nobody is asked. */
    readonly grant: (target: FlowTarget, request: GrantRequest) => Effect.Effect<SignedIn, HeaderErrorReason>
  }
>()("@letterhead/oauth/flow/OAuthFlow") {}

/** The authorization code flow, token exchange, and the grants without a person. */
export const layer: Layer.Layer<OAuthFlow, never, SignIn | SecretStore> = Layer.effect(
  OAuthFlow,
  Effect.gen(function* () {
    const services = yield* Effect.context<SignIn | SecretStore>()
    const flow = Effect.promise(() => import("./CodeFlow.ts"))
    return {
      signIn: (target, request) =>
        Effect.provideContext(
          Effect.flatMap(flow, ({ signIn }) => signIn(target, request)),
          services
        ),
      refresh: (target, record, challenge) =>
        Effect.provideContext(
          Effect.flatMap(flow, ({ refresh }) => refresh(target, record, challenge)),
          services
        ),
      exchange: (target, settings, request) =>
        Effect.provideContext(
          Effect.flatMap(
            Effect.promise(() => import("./ExchangeFlow.ts")),
            ({ exchange }) => exchange(target, settings, request)
          ),
          services
        ),
      grant: (target, request) =>
        Effect.promise(() => import("./GrantFlow.ts")).pipe(
          Effect.flatMap((granting) => granting.request(target, request)),
          Effect.provideContext(services)
        )
    }
  })
)
