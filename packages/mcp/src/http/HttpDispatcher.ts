/**
 * What the requests of all connections are written with.
 *
 * Default: an undici Agent of the transport's own, made at the first connection and destroyed with the layer, so that
 * no idle socket keeps a program alive. It uses the proxies that the `Environment` names and trusts the certificate
 * authorities of Node and those of {@link CertificateAuthorities}. A runtime that has a dispatcher of its own provides
 * that, and keeps it; none of this applies to it then.
 */
import { type Environment, Environment as CurrentEnvironment } from "@letterhead/core/server/Environment"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LookupFunction } from "node:net"
import type { SecureContext } from "node:tls"
import type { buildConnector as BuildConnector, Dispatcher } from "undici"
import { AuthoritiesInvalid, ProxyFailed } from "../McpError.ts"

/** Default: `undefined`, an Agent of the transport's own. */
export const HttpDispatcher: Context.Reference<Dispatcher | undefined> = Context.Reference<Dispatcher | undefined>(
  "@letterhead/mcp/http/HttpDispatcher",
  { defaultValue: () => undefined }
)

/**
 * Certificates of further authorities: PEM text, or the absolute path of a file that holds it. They are trusted beside
 * those of Node, which are its own, those of NODE_EXTRA_CA_CERTS and, where Node is told so, those of the system.
 * Default: none.
 */
export const CertificateAuthorities: Context.Reference<string | undefined> = Context.Reference<string | undefined>(
  "@letterhead/mcp/http/HttpDispatcher/CertificateAuthorities",
  { defaultValue: () => undefined }
)

/** Bytes of the headers of an answer; a connection that sends more is closed. */
export const HEADER_SIZE_LIMIT = 16 * 1024

/** Why there is no dispatcher: what names a proxy is no URL, or what should hold certificates holds none. */
export type AcquireFailure = ProxyFailed | AuthoritiesInvalid

/** The dispatcher that was provided, or one that lives as long as the scope. */
export const acquire: Effect.Effect<Dispatcher, AcquireFailure, Scope.Scope> = Effect.gen(function* () {
  return (yield* HttpDispatcher) ?? (yield* make())
})

export interface DispatcherOptions {
  /**
   * What finds the addresses of an origin that is connected to directly; those of what a proxy connects to, the proxy
   * finds. Default: what Node does.
   */
  readonly lookup?: (origin: URL) => LookupFunction
  /** Whom connections trust, for several dispatchers. Default: as {@link trust}. */
  readonly trust?: Trust
}

/** What the {@link CertificateAuthorities} come to. */
export interface Trust {
  /** Absent where none are named. */
  readonly secureContext?: SecureContext
}

/** Reads the {@link CertificateAuthorities}. */
export const trust: Effect.Effect<Trust, AuthoritiesInvalid> = Effect.flatMap(
  CertificateAuthorities,
  (authorities): Effect.Effect<Trust, AuthoritiesInvalid> =>
    authorities === undefined ? Effect.succeed({}) : trusting(authorities)
)

/** A dispatcher for the proxies of the `Environment` and the {@link CertificateAuthorities}, until the scope closes. */
export const make = Effect.fnUntraced(function* ({ lookup, trust: trusted }: DispatcherOptions = {}): Effect.fn.Return<
  Dispatcher,
  AcquireFailure,
  Scope.Scope
> {
  const proxies = yield* proxiesOf(yield* CurrentEnvironment)
  // Loaded here because a program that only explains headers never sends a request.
  const { Agent, buildConnector, EnvHttpProxyAgent } = yield* Effect.promise(() => import("undici"))
  const { secureContext } = trusted ?? (yield* trust)
  const tls = secureContext === undefined ? undefined : { secureContext }
  const connect =
    lookup === undefined
      ? tls
      : (target: BuildConnector.Options, callback: BuildConnector.Callback) => {
          const origin = new URL(`${target.protocol}//${target.host}`)
          buildConnector({ ...tls, lookup: lookup(origin) })(target, callback)
        }
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      // A stream may be silent, and a call may take as long as its caller allows: the calls have the timeouts.
      const options = {
        headersTimeout: 0,
        bodyTimeout: 0,
        maxHeaderSize: HEADER_SIZE_LIMIT,
        ...(connect === undefined ? {} : { connect })
      }
      if (proxies === undefined) return new Agent(options)
      const agent = new EnvHttpProxyAgent({
        ...options,
        ...(tls === undefined ? {} : { requestTls: tls, proxyTls: tls }),
        // Each is named, if only as empty: what is not, undici reads from the environment of the process.
        httpProxy: proxies.http?.href ?? "",
        httpsProxy: proxies.https?.href ?? "",
        noProxy: proxies.none
      })
      proxiesInUse.set(agent, proxies)
      return agent
    }),
    (agent) => Effect.promise(() => agent.destroy())
  )
})

interface Proxies {
  readonly http: URL | undefined
  /** Where it is not set, undici uses that of `http`. */
  readonly https: URL | undefined
  /** Hosts that are spoken to directly, as NO_PROXY writes them. */
  readonly none: string
}

const proxiesInUse = new WeakMap<Dispatcher, Proxies>()

/** The origin of the proxy that is set for a URL, without credentials; NO_PROXY is not looked at. */
export const proxyOf = (dispatcher: Dispatcher, url: URL): string | undefined => {
  const proxies = proxiesInUse.get(dispatcher)
  const proxy = url.protocol === "https:" ? (proxies?.https ?? proxies?.http) : proxies?.http
  return proxy === undefined ? undefined : `${proxy.protocol}//${proxy.host}`
}

/** The proxies that an environment names, in lower or upper case; `undefined` where it names none. */
const proxiesOf = (environment: Environment): Effect.Effect<Proxies | undefined, ProxyFailed> =>
  Effect.gen(function* () {
    const http = yield* proxyUrl(environment, "HTTP_PROXY")
    const https = yield* proxyUrl(environment, "HTTPS_PROXY")
    if (http === undefined && https === undefined) return undefined
    return { http, https, none: variable(environment, "NO_PROXY") ?? "" }
  })

/** As curl and undici have it, the lower case goes first. An empty variable is none. */
const variable = (environment: Environment, name: string): string | undefined =>
  [environment[name.toLowerCase()], environment[name]].find((value) => value !== undefined && value !== "")

const SCHEMES: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks:"])

const proxyUrl = (environment: Environment, name: string): Effect.Effect<URL | undefined, ProxyFailed> => {
  const value = variable(environment, name)
  if (value === undefined) return Effect.undefined
  // Many write only host and port.
  const url = URL.parse(value.includes("://") ? value : `http://${value}`)
  if (url !== null && url.hostname !== "" && SCHEMES.has(url.protocol)) return Effect.succeed(url)
  // The value may hold credentials: it is not shown.
  return Effect.fail(new ProxyFailed({ proxy: name, description: INVALID }))
}

const INVALID = "is no URL of a proxy; it looks like http://proxy.example:3128, with http, https or socks5"

/** Made once: to read a hundred and fifty authorities for each connection takes longer than the connection. */
const trusting = (authorities: string) =>
  Effect.tryPromise({
    try: async () => {
      const { createSecureContext, getCACertificates } = await import("node:tls")
      const certificates = await certificatesOf(authorities)
      return { secureContext: createSecureContext({ ca: [...getCACertificates("default"), ...certificates] }) }
    },
    catch: (error) => (error instanceof AuthoritiesInvalid ? error : new AuthoritiesInvalid({ description: NO_PEM }))
  })

const NO_PEM =
  "hold no certificate; give PEM text, which begins with -----BEGIN CERTIFICATE-----, or the path of such a file"

const certificatesOf = async (authorities: string): Promise<ReadonlyArray<string>> => {
  const { X509Certificate } = await import("node:crypto")
  const text = authorities.includes("-----BEGIN") ? authorities : await readFile(authorities)
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0) throw new AuthoritiesInvalid({ description: NO_PEM })
  // TLS passes over what it cannot read; here that is an error.
  return certificates.map((certificate) => new X509Certificate(certificate).toString())
}

const readFile = async (path: string): Promise<string> => {
  const files = await import("node:fs/promises")
  return files.readFile(path, "utf8").catch(() => {
    throw new AuthoritiesInvalid({ description: `cannot be read from ${path}` })
  })
}
