/**
 * One MCP server of a configuration, whichever dialect it was written in, with the place of each thing it says.
 *
 * Nothing here is evaluated: header values and the URL are templates, a helper is a command. What a `project` or
 * `remote` entry would execute or send from outside its own text needs approval (see `trust/`).
 */
import type { Template } from "./Template.ts"

/** Where something was written, as an error names it: `file:line:column (path in the document)`. */
export interface Place {
  /** Absolute path or URL of the document; for entries supplied by code, what the caller calls itself. */
  readonly file: string
  /** From 1; absent where the text has no lines (entries supplied by code). */
  readonly line?: number
  /** From 1. */
  readonly column?: number
  /** The path within the document, such as `mcpServers.linear.headers.X-Api-Key`. */
  readonly path?: string
}

/** `file:line:column` and, where there is one, the path within the document. */
export const formatPlace = (place: Place): string => {
  const position = place.line === undefined ? place.file : `${place.file}:${place.line}:${place.column ?? 1}`
  return place.path === undefined ? position : `${position} (${place.path})`
}

/**
 * How far an entry is trusted, fixed by where it was read, before anything in it is.
 *
 * `user` and `managed` entries are the person's and the administrator's own; `project` and `remote` ones came with
 * somebody else's files.
 */
export type OriginScope = "managed" | "user" | "project" | "remote"

export interface Origin {
  readonly scope: OriginScope
  /** Absolute path or URL of the document the entry was read from; a name for entries supplied by code. */
  readonly source: string
  /** Absolute folder that relative paths start from and helpers run in; absent for `remote`. */
  readonly directory?: string
  /** Absolute root of the repository a `project` file lies in: the workspace, whose files a digest covers. */
  readonly workspace?: string
}

/** Whether entries of this origin need an approval before anything is executed or read for them. */
export const needsApproval = (origin: Origin): boolean => origin.scope === "project" || origin.scope === "remote"

/** One header of the entry's own `headers`. */
export interface StaticHeader {
  readonly name: string
  readonly value: Template
  readonly place: Place
}

/** A program that prints headers; see the helper contract in the package's README. */
export interface Helper {
  /** An argument array is executed directly; a string is run by `sh -c`, as Claude Code does. */
  readonly command: ReadonlyArray<string> | string
  /** Added to the helper's environment. */
  readonly environment: ReadonlyMap<string, Template>
  /** Milliseconds from the spawn, 100 to 120,000. Default 10,000. */
  readonly timeout: number
  /** Further attempts after a failure, exponential from `delay` milliseconds. Default: none. */
  readonly retry: { readonly times: number; readonly delay: number }
  /** Credential-like variables that a `project` or `remote` helper keeps. */
  readonly passEnv: ReadonlyArray<string>
  /** Whether a later connection may use an earlier result: not at all, until its `expires`, or for so many seconds. */
  readonly cache: "never" | "expires" | number
  /** What a failure does to the connection: refuse it, or connect with the other sources. */
  readonly onFailure: "fail" | "static"
  /** Further workspace files that the trust digest covers; `undefined` where the entry does not say. */
  readonly files?: ReadonlyArray<string>
  readonly place: Place
}

export const HELPER_TIMEOUT_DEFAULT = 10_000
export const HELPER_TIMEOUT_MINIMUM = 100
export const HELPER_TIMEOUT_MAXIMUM = 120_000

/** A header of the request that the runtime serves, let through to the server. */
export interface PassthroughHeader {
  /** The incoming name. */
  readonly name: string
  /** The name it is sent under. Default: the incoming name. */
  readonly as: string
  /** A call without it fails. Default false. */
  readonly required: boolean
  /** The entry says that this is a credential; Authorization and Cookie need that. Default false. */
  readonly credential: boolean
  /** Ranks above helper and below hook. Default false: below everything. */
  readonly override: boolean
  readonly place: Place
}

/** A field that a person fills in once; its value is kept in the secret store and sent as a header. */
export interface CredentialField {
  /** The key of the field in the entry, such as `API_KEY`. */
  readonly name: string
  readonly title: string
  readonly description?: string
  readonly headerName: string
  /** Put before the value. Default: nothing. */
  readonly valuePrefix: string
  /** A call without a value fails. Default false. */
  readonly required: boolean
  /** The value is asked for without showing it, and may have no default. Default false. */
  readonly sensitive: boolean
  readonly default?: string
  readonly place: Place
}

/** How somebody signs in at the authorization server of a server; what is not said is found out or registered. */
export interface OAuthSettings {
  /** Of a client that was registered beforehand. */
  readonly clientId?: Template
  /** Only with `clientId`. */
  readonly clientSecret?: Template
  /** Asked for beside those that the server names. Default: the server's alone. */
  readonly scopes?: ReadonlyArray<string>
  /** The port of 127.0.0.1 that a sign-in ends at; 0, the default, is any that is free. */
  readonly callbackPort?: number
  /** The https URL of a client id metadata document, which is the client's id where the server takes such. */
  readonly clientMetadataUrl?: string
  /** Nobody signs in: the token of whoever calls is exchanged for one of the server. Only with `auth: "oauth"`. */
  readonly exchange?: TokenExchange
  /** Nobody signs in: the token is had by this grant. Default: the authorization code, for which a person signs in. */
  readonly grant?: Grant
  readonly place: Place
}

/** How a token is had without a person; the client, which there has to be, is that of {@link OAuthSettings}. */
export type Grant = ClientCredentialsGrant | JwtBearerGrant | IdentityAssertionGrant

interface GrantClient {
  /** Signs assertions in place of a secret (`private_key_jwt`). */
  readonly key?: {
    /** PKCS #8, as PEM. */
    readonly privateKey: Template
    /** Of JWS, such as `ES256`. */
    readonly algorithm: string
  }
  /**
   * The only authorization server that is asked, which may then be inside a private network. Default: the one that the
   * server names, and from the first use on no other.
   */
  readonly issuer?: string
}

/** For the client itself, by its secret or its key. */
export interface ClientCredentialsGrant extends GrantClient {
  readonly type: "client_credentials"
}

/** For an assertion that somebody signed whom the authorization server trusts, such as the identity of a workload. */
export interface JwtBearerGrant extends GrantClient {
  readonly type: "jwt_bearer"
  readonly assertion: Template
}

/** For a person whom a company's identity provider knows (enterprise-managed authorization). */
export interface IdentityAssertionGrant extends GrantClient {
  readonly type: "id_jag"
  readonly identityProvider: {
    readonly issuer: string
    /** Absolute URL. Default: what the metadata of the issuer names. */
    readonly tokenEndpoint?: string
    readonly clientId: Template
    readonly clientSecret?: Template
  }
  /** Of the person, from the identity provider. */
  readonly idToken: Template
}

/** A token exchange (RFC 8693); the client is that of {@link OAuthSettings}. */
export interface TokenExchange {
  /** Absolute URL of the token endpoint. */
  readonly tokenUrl: string
  /** The service that the token is for. Default: the URL of the server alone says it. */
  readonly audience?: string
  /** The token type identifier of what the caller brings. Default: that of an access token. */
  readonly subjectTokenType?: string
}

/** A module whose default export has an `mcp.call.before` function. */
export interface HookModule {
  /** Absolute path. */
  readonly path: string
  /** A module without that function is left alone: the list it stands in is not one of hooks only. Default false. */
  readonly optional?: true
  readonly place: Place
}

/** A server reached over HTTP. */
export interface HttpEndpoint {
  readonly type: "http"
  /** `auto`: Streamable HTTP first, HTTP+SSE on a 4xx that is not 401, 403 or 429. */
  readonly transport: "http" | "sse" | "auto"
  readonly url: Template
}

/** A server that is a program of its own. */
export interface StdioEndpoint {
  readonly type: "stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: ReadonlyMap<string, Template>
}

export interface ServerEntry {
  readonly name: string
  readonly origin: Origin
  readonly place: Place
  readonly endpoint: HttpEndpoint | StdioEndpoint
  readonly headers: ReadonlyArray<StaticHeader>
  readonly helper?: Helper
  readonly passthrough: ReadonlyArray<PassthroughHeader>
  readonly credentials: ReadonlyArray<CredentialField>
  /** Whether OAuth may be used: where the server asks for it (`auto`, default), from the start, or never. */
  readonly auth: "auto" | "oauth" | "none"
  /** How to sign in, where the entry says. */
  readonly oauth?: OAuthSettings
  /** In the order they run. */
  readonly hooks: ReadonlyArray<HookModule>
  /** Milliseconds for connecting, default 30,000. */
  readonly connectTimeout: number
}

export const CONNECT_TIMEOUT_DEFAULT = 30_000
