/**
 * Who gives out tokens for an MCP server, found as the MCP authorization specification has it: the protected resource
 * metadata of the server (RFC 9728) names the authorization server, whose own metadata (RFC 8414 or OpenID Connect
 * Discovery) names the rest.
 *
 * Guaranteed of what is found: the metadata is about the issuer that was asked; each endpoint is one that the
 * {@link UrlPolicy} lets be asked; the resource is the MCP server, or a part of its origin that it lies in; and there
 * always is a resource (RFC 8707). A server without protected resource metadata is taken for one of 2025-03-26: its
 * origin is the authorization server, and where that has no metadata either, it has the endpoints of that version.
 */
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import {
  type AuthorizationServerMetadata,
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  type FetchLike,
  IssuerMismatchError,
  type OAuthProtectedResourceMetadata,
  resourceUrlFromServerUrl
} from "@modelcontextprotocol/client"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ForeignText from "../http/ForeignText.ts"
import * as UrlPolicy from "../http/UrlPolicy.ts"
import * as ProofKey from "../proof/ProofKey.ts"
import type { Challenge } from "../flow/OAuthFlow.ts"

export interface AuthorizationServer {
  /** As its metadata writes it; what belongs to one issuer is never shown to another. */
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** Sent with each authorization and token request, as it is written. */
  readonly resource: string
  /** To ask for: what the challenge names, else what the protected resource metadata lists; may be none. */
  readonly scopes: ReadonlyArray<string>
  /** For devices without a browser (RFC 8628), where there is one. */
  readonly deviceAuthorizationEndpoint?: URL
  /** Where tokens can be revoked (RFC 7009), where there is one. */
  readonly revocationEndpoint?: URL
  /** Present where the MCP server asks for tokens that are bound to a key (RFC 9449). */
  readonly binding?: {
    /** Whether it takes no others. */
    readonly isRequired: boolean
    /** What the key is for; absent where there is nothing that the servers and this program have in common. */
    readonly algorithm?: ProofKey.Algorithm
  }
}

export interface DiscoverOptions {
  readonly serverUrl: URL
  /** Of `OAuthFetch`. */
  readonly fetch: FetchLike
  /** What the server answered 401 or 403 with. */
  readonly challenge?: Challenge
  /** The one to take where the server names several. Default: the first. */
  readonly issuer?: string
}

/** Fails with `SignInFailed` where what is found cannot be trusted, and with `TokenFailed` where nothing answers. */
export const discover = Effect.fn("AuthorizationServer.discover")(function* (
  options: DiscoverOptions
): Effect.fn.Return<AuthorizationServer, SignInFailed | TokenFailed> {
  const { challenge, serverUrl } = options
  const policy = UrlPolicy.make({ serverUrl, trustedOrigins: yield* UrlPolicy.TrustedOrigins })
  const protectedResource = yield* protectedResourceOf(options)
  const resource = yield* resourceOf(serverUrl, protectedResource)
  const all = protectedResource?.authorization_servers ?? []
  const named = all.find((one) => one === options.issuer) ?? all[0]
  if (named !== undefined) yield* requireAllowed(policy, "the authorization server", named)
  const { algorithms, document, metadata } = yield* metadataOf(named ?? new URL("/", serverUrl).href, options, policy)
  if (metadata === undefined && named !== undefined) {
    return yield* new SignInFailed({
      description: `the authorization server ${ForeignText.shown(named)} publishes no metadata; tell whoever runs it`
    })
  }
  const found = metadata ?? endpointsOf2025(serverUrl)
  const binding = bindingOf(challenge?.binding, protectedResource, algorithms)
  return {
    issuer: found.issuer,
    metadata: found,
    resource,
    scopes: listOf(challenge?.scope) ?? protectedResource?.scopes_supported ?? [],
    ...urlAs("deviceAuthorizationEndpoint", document?.device_authorization_endpoint),
    ...urlAs("revocationEndpoint", document?.revocation_endpoint),
    ...(binding === undefined ? {} : { binding })
  }
})

/** Without PKCE a code can be used by whoever sees it; a server has to say that it takes S256 (fault F77). */
export const requirePkce = ({ issuer, metadata }: AuthorizationServer): Effect.Effect<void, SignInFailed> =>
  metadata.code_challenge_methods_supported?.includes("S256") === true
    ? Effect.void
    : Effect.fail(
        new SignInFailed({
          description:
            `the authorization server ${ForeignText.shown(issuer)} does not say that it supports PKCE with S256, ` +
            `without which its codes are not safe; tell whoever runs it`
        })
      )

const protectedResourceOf = Effect.fnUntraced(function* ({ challenge, fetch, serverUrl }: DiscoverOptions) {
  const observed = observe(fetch)
  const found = yield* Effect.tryPromise({
    try: (signal) =>
      discoverOAuthProtectedResourceMetadata(
        serverUrl,
        challenge?.resourceMetadata === undefined ? {} : { resourceMetadataUrl: challenge.resourceMetadata },
        observed.fetch(signal)
      ),
    catch: failureOf
  }).pipe(Effect.result)
  if (Result.isSuccess(found)) return found.success
  if (found.failure._tag !== "Unreadable") return yield* found.failure
  // What answers without metadata is a server of 2025-03-26; one that names a server nobody can ask is none.
  const document = yield* observed.document
  if (typeof document !== "object" || document === null || !("authorization_servers" in document)) return undefined
  return yield* new SignInFailed({
    description: `the protected resource metadata of ${serverUrl.origin} names no authorization server that can be asked`
  })
})

/** The resource as the metadata writes it, or the server's URL where there is none. */
const resourceOf = (serverUrl: URL, metadata: OAuthProtectedResourceMetadata | undefined) => {
  const requestedResource = resourceUrlFromServerUrl(serverUrl)
  if (metadata === undefined) {
    const { href, pathname, search } = requestedResource
    return Effect.succeed(pathname === "/" && search === "" ? requestedResource.origin : href)
  }
  const configuredResource = metadata.resource
  return URL.canParse(configuredResource) && checkResourceAllowed({ requestedResource, configuredResource })
    ? Effect.succeed(configuredResource)
    : Effect.fail(
        new SignInFailed({
          description:
            `the protected resource metadata is that of ${ForeignText.shown(configuredResource)} and not that of ` +
            `${serverUrl.origin}${serverUrl.pathname}; a token for it would be another server's`
        })
      )
}

/** An authorization server that does not say what it takes binds no token. */
const bindingOf = (
  challenged: Challenge["binding"],
  resource: OAuthProtectedResourceMetadata | undefined,
  offered: ReadonlyArray<string> = []
): AuthorizationServer["binding"] => {
  const isRequired = challenged?.isRequired === true || resource?.dpop_bound_access_tokens_required === true
  if (challenged === undefined && !isRequired) return undefined
  const algorithm = ProofKey.algorithmOf(offered, resource?.dpop_signing_alg_values_supported, challenged?.algorithms)
  return { isRequired, ...(algorithm === undefined ? {} : { algorithm }) }
}

/** The parts of a metadata document that name places; read apart because the SDK drops some of OpenID providers. */
const Document = Schema.Struct({
  authorization_endpoint: Schema.optional(Schema.String),
  token_endpoint: Schema.optional(Schema.String),
  registration_endpoint: Schema.optional(Schema.String),
  device_authorization_endpoint: Schema.optional(Schema.String),
  revocation_endpoint: Schema.optional(Schema.String)
})

const decodeDocument = Schema.decodeUnknownOption(Document)

const decodeAlgorithms = Schema.decodeUnknownOption(
  Schema.Struct({ dpop_signing_alg_values_supported: Schema.Array(Schema.String) })
)

const metadataOf = Effect.fnUntraced(function* (
  issuer: string,
  { fetch }: DiscoverOptions,
  policy: UrlPolicy.UrlPolicy
) {
  const observed = observe(fetch)
  const found = yield* Effect.tryPromise({
    try: (signal) => discoverAuthorizationServerMetadata(issuer, { fetchFn: observed.fetch(signal) }),
    catch: failureOf
  }).pipe(Effect.result)
  const written = yield* observed.document
  const document = Option.getOrUndefined(decodeDocument(written))
  const algorithms = Option.getOrUndefined(decodeAlgorithms(written))?.dpop_signing_alg_values_supported
  // Before anything else is said of it: a document that names a program is no unreadable one.
  for (const [name, value] of Object.entries(document ?? {})) {
    if (value !== undefined) yield* requireAllowed(policy, `its ${name}`, value)
  }
  if (Result.isSuccess(found)) return { algorithms, document, metadata: found.success }
  const error = found.failure
  if (error._tag !== "Unreadable") return yield* error
  if (error.otherIssuer !== undefined) {
    return yield* new SignInFailed({
      description:
        `the metadata of the authorization server ${ForeignText.shown(issuer)} is that of another issuer, ` +
        `${ForeignText.shown(error.otherIssuer)}; do not trust this server, or tell whoever runs it`
    })
  }
  return yield* new TokenFailed({
    description: `the metadata of the authorization server ${ForeignText.shown(issuer)} cannot be read`
  })
})

const requireAllowed = (policy: UrlPolicy.UrlPolicy, what: string, text: string): Effect.Effect<URL, SignInFailed> =>
  Effect.mapError(
    Effect.fromResult(policy.check(text)),
    (rule) =>
      new SignInFailed({
        description: `${what}, which the server names, ${rule}: ${ForeignText.shown(text)}; nothing was sent there`
      })
  )

/** The endpoints of a server that says nothing of itself, by the specification of 2025-03-26, which requires PKCE. */
const endpointsOf2025 = ({ origin }: URL): AuthorizationServerMetadata => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"]
})

const listOf = (scope: string | undefined): ReadonlyArray<string> | undefined => {
  const scopes = (scope ?? "").split(" ").filter((one) => one !== "")
  return scopes.length === 0 ? undefined : scopes
}

const urlAs = <Name extends string>(name: Name, text: string | undefined): { readonly [_ in Name]?: URL } => {
  const url = text === undefined ? null : URL.parse(text)
  const given: { [_ in Name]?: URL } = {}
  if (url !== null) given[name] = url
  return given
}

/** There is no metadata, or none that counts. */
class Unreadable extends Data.TaggedError("Unreadable")<{
  /** Whose it is, where it is that of another issuer than the one asked. */
  readonly otherIssuer: string | undefined
}> {}

const failureOf = (error: unknown): SignInFailed | TokenFailed | Unreadable =>
  error instanceof SignInFailed || error instanceof TokenFailed
    ? error
    : new Unreadable({ otherIssuer: IssuerMismatchError.isInstance(error) ? (error.received ?? "none") : undefined })

/** A fetch whose last answer can be read once more, as it came. */
const observe = (fetch: FetchLike) => {
  let answer: Response | undefined
  return {
    fetch:
      (signal: AbortSignal): FetchLike =>
      async (input, init) => {
        const response = await fetch(input, { ...init, signal })
        if (response.ok) answer = response.clone()
        return response
      },
    /** JSON, or `undefined`. */
    document: Effect.suspend(() =>
      Effect.orElseSucceed(
        Effect.tryPromise((): Promise<unknown> => answer?.json() ?? Promise.resolve(undefined)),
        () => undefined
      )
    )
  }
}
