/**
 * The requests to authorization servers, and for metadata: everything that OAuth asks which is no MCP request.
 *
 * Each URL and each target of a redirect keeps to the {@link UrlPolicy}, and so does the address that its name resolves
 * to: the address that was checked is the one that is connected to, unless a proxy connects. No header that an entry, a
 * helper or a call makes is here to be sent. An answer has 10 s and 1 MiB, with its redirects; one that is late, too large,
 * a failure of the server (5xx, 429) or none at all is `TokenFailed`, and one that the policy does not let be asked is
 * `SignInFailed`. Neither says more of a foreign URL than its origin.
 *
 * Redirects are followed where the caller does not do that itself: five at most, a POST or DELETE only within its origin
 * and only as what it is.
 */
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { LookupFunction } from "node:net"
import type { Dispatcher } from "undici"
import * as ForeignText from "./ForeignText.ts"
import * as UrlPolicy from "./UrlPolicy.ts"

/** The addresses of a name. Default: those that the system finds. */
export const Resolver: Context.Reference<(name: string) => Promise<ReadonlyArray<string>>> = Context.Reference<
  (name: string) => Promise<ReadonlyArray<string>>
>("@letterhead/oauth/http/OAuthFetch/Resolver", {
  defaultValue: () => async (name) => {
    const { lookup } = await import("node:dns/promises")
    const found = await lookup(name, { all: true })
    return found.map(({ address }) => address)
  }
})

/** What requests are written with. */
export interface OAuthRequests {
  readonly dispatcher: Dispatcher
  /** Why a request had no answer, in words that name no URL but a proxy's, without its credentials. Default: its code. */
  readonly explain?: (error: unknown, origin: URL) => string
}

/** Finds the addresses of an origin that may be connected to. */
export type AllowedLookup = (origin: URL) => LookupFunction

export type OAuthDispatching = (lookup: AllowedLookup) => Effect.Effect<OAuthRequests, TokenFailed, Scope.Scope>

/**
 * Makes what the requests of one sign-in, renewal or exchange are written with, until the scope closes. A direct
 * connection has to ask `lookup` for the address; for what is not connected to directly, such as by way of a proxy, the
 * rules for URLs hold, and what a name resolves to whoever connects to it has to check.
 *
 * Default: connections of this machine's own, past every proxy, which trust the authorities of Node.
 */
export const OAuthDispatcher: Context.Reference<OAuthDispatching> = Context.Reference<OAuthDispatching>(
  "@letterhead/oauth/http/OAuthFetch/OAuthDispatcher",
  { defaultValue: () => direct }
)

export interface Limits {
  /** For one request with its redirects. */
  readonly milliseconds: number
  /** Of one answer. */
  readonly bytes: number
}

/** Default: 10 s and 1 MiB. */
export const OAuthLimits: Context.Reference<Limits> = Context.Reference<Limits>(
  "@letterhead/oauth/http/OAuthFetch/OAuthLimits",
  { defaultValue: () => ({ milliseconds: 10_000, bytes: 1_048_576 }) }
)

/** Redirects of one request at most. */
export const REDIRECT_LIMIT = 5

/** A fetch for what the server at `serverUrl` names; until the scope closes. Rejects with the reasons of the module. */
export const make = Effect.fnUntraced(function* (options: {
  readonly serverUrl: URL
}): Effect.fn.Return<FetchLike, TokenFailed, Scope.Scope> {
  const policy = UrlPolicy.make({ ...options, trustedOrigins: yield* UrlPolicy.TrustedOrigins })
  const limits = yield* OAuthLimits
  const resolve = yield* Resolver
  const { dispatcher, explain } = yield* (yield* OAuthDispatcher)((origin) => pinned(origin, policy, resolve))
  // Loaded here because most programs never sign in.
  const { request } = yield* Effect.promise(() => import("undici"))

  const send = async (url: URL, message: Message): Promise<Response> => {
    const { body, headers, statusCode } = await request(url, { ...message, dispatcher })
    const chunks: Array<Uint8Array> = []
    let size = 0
    for await (const chunk of body) {
      const bytes: Uint8Array = chunk
      size += bytes.byteLength
      if (size > limits.bytes) {
        throw new TokenFailed({ description: `${at(url)} answered with more than ${limits.bytes} bytes` })
      }
      chunks.push(bytes)
    }
    return responseOf(statusCode, headers, chunks)
  }

  return async (input, init = {}) => {
    let url = checked(input, policy)
    const mode = init.redirect ?? "follow"
    const deadline = AbortSignal.timeout(limits.milliseconds)
    const signal = init.signal == null ? deadline : AbortSignal.any([init.signal, deadline])
    const message = await messageOf(init, signal)
    try {
      for (let hops = 0; ; hops++) {
        const response = await send(url, message)
        const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null
        if (location === null || mode === "manual") return usable(url, message, response)
        if (hops === REDIRECT_LIMIT) {
          throw new TokenFailed({ description: `${at(url)} redirects more than ${REDIRECT_LIMIT} times` })
        }
        const target = checked(URL.parse(location, url) ?? "", policy)
        const keepsMethod = KEEPS_METHOD.has(response.status) && target.origin === url.origin
        if (mode === "error" || (message.method !== "GET" && !keepsMethod)) {
          throw new TokenFailed({ description: `${at(url)} redirects a request that goes nowhere else` })
        }
        if (target.origin !== url.origin) message.headers.delete("authorization")
        url = target
      }
    } catch (error) {
      throw failureOf(error, url, { signal: init.signal ?? undefined, deadline, limits, explain })
    }
  }
})

/** Connects to no address but one that `lookup` allows. */
const direct: OAuthDispatching = Effect.fnUntraced(function* (lookup) {
  const { Agent, buildConnector } = yield* Effect.promise(() => import("undici"))
  const dispatcher = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Agent({
          maxHeaderSize: HEADER_SIZE_LIMIT,
          connect: (target, callback) => {
            const origin = new URL(`${target.protocol}//${target.host}`)
            buildConnector({ lookup: lookup(origin) })(target, callback)
          }
        })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )
  return { dispatcher }
})

interface Message {
  readonly method: "GET" | "POST" | "DELETE"
  readonly headers: Headers
  readonly body: string | null
  readonly signal: AbortSignal
}

const HEADER_SIZE_LIMIT = 16 * 1024

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

const KEEPS_METHOD: ReadonlySet<number> = new Set([307, 308])

const messageOf = async (init: RequestInit, signal: AbortSignal): Promise<Message> => {
  const method = (init.method ?? "GET").toUpperCase()
  if (method !== "GET" && method !== "POST" && method !== "DELETE") {
    throw new TypeError("OAuth asks with GET, POST and DELETE")
  }
  const content = new Response(init.body ?? null)
  const headers = new Headers(init.headers)
  const type = content.headers.get("content-type")
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type)
  // Firewalls turn away what does not say what it is.
  headers.set("user-agent", "letterhead")
  return { method, headers, body: init.body == null ? null : await content.text(), signal }
}

const checked = (input: string | URL, policy: UrlPolicy.UrlPolicy): URL => {
  const result = policy.check(input)
  if (Result.isSuccess(result)) return result.success
  throw new SignInFailed({ description: `a URL that the server names ${result.failure}; it was not asked` })
}

/** Finds the addresses of a URL's name, each of which the policy has to allow: one is as good as all. */
const pinned =
  (url: URL, policy: UrlPolicy.UrlPolicy, resolve: (name: string) => Promise<ReadonlyArray<string>>): LookupFunction =>
  (name, options, callback) => {
    const give = async () => {
      const addresses = await resolve(name)
      const [first] = addresses
      if (first === undefined) throw new TokenFailed({ description: `${at(url)} has no address` })
      if (!addresses.every((address) => policy.allows(url, address))) {
        throw new SignInFailed({
          description: `${at(url)}, which the server names, is inside a private network; it was not asked`
        })
      }
      return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
    }
    give().then(
      (found) =>
        options.all === true ? callback(null, found) : callback(null, found[0]?.address ?? "", found[0]?.family),
      (error: unknown) => callback(error instanceof Error ? error : new Error("not resolved"), "")
    )
  }

const responseOf = (
  status: number,
  headers: Readonly<Record<string, string | Array<string> | undefined>>,
  chunks: ReadonlyArray<Uint8Array>
): Response => {
  const hasBody = status !== 204 && status !== 205 && status !== 304
  const response = new Response(hasBody ? Buffer.concat(chunks) : null, { status })
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) response.headers.append(name, one)
  }
  return response
}

/** A gateway answers 502 for a path that it does not know, so to one that looks for metadata that is an answer. */
const usable = (url: URL, message: Message, response: Response): Response => {
  const isLooking = message.method === "GET" && response.status === 502
  if (response.status !== 429 && (response.status < 500 || isLooking)) return response
  throw new TokenFailed({ description: `${at(url)} answered ${response.status}` })
}

interface Circumstances {
  readonly signal: AbortSignal | undefined
  readonly deadline: AbortSignal
  readonly limits: Limits
  readonly explain: OAuthRequests["explain"]
}

const failureOf = (error: unknown, url: URL, { deadline, explain, limits, signal }: Circumstances): unknown => {
  if (error instanceof SignInFailed || error instanceof TokenFailed) return error
  if (signal?.aborted === true) return signal.reason
  if (deadline.aborted) {
    return new TokenFailed({ description: `${at(url)} did not answer within ${limits.milliseconds} ms` })
  }
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? ` (${error.code})` : ""
  const why = explain === undefined ? code : `: ${explain(error, new URL(url.origin))}`
  return new TokenFailed({ description: `${at(url)} cannot be reached${why}` })
}

const at = (url: URL): string => ForeignText.shown(url.origin)
