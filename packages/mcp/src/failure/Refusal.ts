/**
 * What an HTTP answer that is no MCP says: the reason of the error that the caller gets.
 *
 * Answers that tell the SDK something about the protocol (400, 404, 405 and the like) are left to it. All others end
 * the request here, so that none of them is taken for a sign of the era (fault F85).
 */
import { type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import { HEADER_SIZE_LIMIT } from "../http/HttpDispatcher.ts"
import type { HttpResponse } from "../http/HttpResponse.ts"
import * as Masking from "./Masking.ts"
import {
  Forbidden,
  HttpFailed,
  type McpErrorReason,
  ProxyFailed,
  RedirectRefused,
  Unauthorized,
  Unreachable
} from "../McpError.ts"
import * as RetryAfter from "../http/RetryAfter.ts"

/** Bytes of an error body that are read. */
export const BODY_LIMIT = 64 * 1024
/** Milliseconds that an error body is read for. */
export const BODY_TIMEOUT = 2_000

/** Whether the resolver may have a better credential for a request that was answered so (design rule 6). */
export const isChallenge = ({ status }: HttpResponse): boolean => status === 401 || status === 403

/** Whether an answer ends the request here; the SDK handles the others. */
export const isFinal = ({ status }: HttpResponse): boolean =>
  status === 401 || status === 403 || status === 408 || status === 429 || status === 431 || status >= 500

/** Whether the server may answer the same request another time. */
export const isPassing = ({ status }: HttpResponse): boolean => PASSING.has(status)

const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

/**
 * The reason that an answer which ends the request gives; `now` is the time in milliseconds, `hidden` what it may not
 * show. Reads its body.
 */
export const reason = async (
  response: HttpResponse,
  sent: ResolvedHeaders,
  hidden: ReadonlyArray<Masking.Sent>,
  now: number,
  proxy: string | undefined
): Promise<McpErrorReason> => {
  const description = await describe(response, hidden)
  switch (response.status) {
    case 401: {
      const blamed = credentialOf(sent)
      return new Unauthorized({ source: blamed?.source, declared: blamed?.declared, description })
    }
    case 403:
      return new Forbidden({ description })
    case 431:
      return new HttpFailed({ status: 431, description: `${description}; ${sizes(sent)}` })
    default: {
      const retryAfter = RetryAfter.parse(response.field("retry-after"), now)
      return new HttpFailed({
        status: response.status,
        description: GATEWAY.has(response.status) ? description + byWayOf(proxy) : description,
        ...(retryAfter === undefined ? {} : { retryAfter })
      })
    }
  }
}

/** What stands between may have said it, and not the server. */
const GATEWAY: ReadonlySet<number> = new Set([502, 503, 504])

/** Fields that are named where their sizes are shown. */
const SIZES_SHOWN = 5

/** How large the headers of the sources were, the largest first; never a value. */
const sizes = (sent: ResolvedHeaders): string => {
  const fields = sent
    .reveal()
    .map(([name, value]) => [name, value.length] as const)
    .toSorted(([, a], [, b]) => b - a)
  const total = fields.reduce((sum, [name, length]) => sum + name.length + length, 0)
  const named = fields.slice(0, SIZES_SHOWN).map(([name, length]) => `${name} ${length}`)
  const further = fields.length > SIZES_SHOWN ? [`${fields.length - SIZES_SHOWN} more`] : []
  return `the sources supply ${total} bytes of headers: ${[...named, ...further].join(", ") || "none"}`
}

/**
 * The redirect that must not be followed, or `undefined`: one to another origin or another path, with credentials in
 * its URL, or one that changes the method. What is left, another query of the endpoint, the SDK follows. Its target is
 * shown without what was sent.
 */
export const redirect = (
  response: HttpResponse,
  method: string,
  url: URL,
  sent: ReadonlyArray<Masking.Sent>
): RedirectRefused | undefined => {
  if (!REDIRECTS.has(response.status)) return undefined
  const location = response.field("location")
  const target = location === undefined ? null : URL.parse(location, url)
  if (target === null) return undefined
  if (target.origin !== url.origin) {
    return refused(target.origin === "null" ? target.protocol : target.origin, sent)
  }
  const keepsMethod = method === "GET" || response.status === 307 || response.status === 308
  const keepsCredentials = target.username === "" && target.password === ""
  if (keepsMethod && keepsCredentials && target.pathname === url.pathname) return undefined
  return refused(`${target.origin}${target.pathname}`, sent)
}

const refused = (target: string, sent: ReadonlyArray<Masking.Sent>) =>
  new RedirectRefused({ target: Masking.maskUrl(target, sent) })

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Why there was no answer at all. Of the URL no more is shown than its origin, of the proxy that is set for it all but credentials. */
export const unreachable = (error: unknown, url: URL, proxy: string | undefined): Unreachable | ProxyFailed => {
  const refused = proxy === undefined ? undefined : proxyDescription(error)
  if (proxy !== undefined && refused !== undefined) return new ProxyFailed({ proxy, description: refused })
  return new Unreachable({
    url: url.origin,
    description: networkDescription(error) + byWayOf(proxy)
  })
}

const byWayOf = (proxy: string | undefined): string =>
  proxy === undefined ? "" : `; requests go through the proxy ${proxy}, except to what NO_PROXY names`

/** What undici says of a proxy: its own words where it has no code for them, of which only the status is taken. */
const proxyDescription = (error: unknown): string | undefined => {
  if (codeOf(error) === "UND_ERR_PRX_CONN") return "closed the connection before it answered"
  if (codeOf(error) === "UND_ERR_PRX_TLS") return "has a certificate for another host"
  const message = error instanceof Error ? error.message : ""
  const status = /^Proxy response \((\d+)\)|^Proxy Authentication Required \((407)\)/
    .exec(message)
    ?.slice(1)
    .find(Boolean)
  if (status === "407") return "asks for credentials, or refuses those that it was given (407)"
  if (status !== undefined) return `answered ${status} instead of connecting to the server`
  return message.startsWith("Proxy-Authorization should be sent")
    ? "gets its credentials from its URL; a source may not set Proxy-Authorization where a proxy is used"
    : undefined
}

/** Whom a 401 concerns: who supplied Authorization, else the highest source that supplied anything. */
const credentialOf = (sent: ResolvedHeaders) =>
  sent.get("authorization") ??
  sent.provenance
    .filter((entry) => entry.value !== undefined)
    .toSorted((a, b) => rankOf(b.source) - rankOf(a.source))
    .at(0)

const RANKS: ReadonlyMap<string, number> = new Map(Object.entries(Rank))

const rankOf = (source: string): number => RANKS.get(source) ?? 0

/** What the server says about it, masked and cut. */
const describe = async (response: HttpResponse, sent: ReadonlyArray<Masking.Sent>): Promise<string> => {
  const challenge = response.field("www-authenticate") ?? ""
  const said = [
    parameter(challenge, "error"),
    parameter(challenge, "error_description"),
    scopeOf(challenge),
    await bodyText(response, sent)
  ].filter((part) => part !== undefined && part.length > 0)
  const text = said.length === 0 ? response.statusText : said.join("; ")
  return Masking.describe(text, sent) || "the server gives no reason"
}

const parameter = (challenge: string, name: string): string | undefined =>
  new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,"]+))`, "i").exec(challenge)?.slice(1).find(Boolean)

const scopeOf = (challenge: string): string | undefined => {
  const scope = parameter(challenge, "scope")
  return scope === undefined ? undefined : `scope "${scope}"`
}

const bodyText = async (response: HttpResponse, sent: ReadonlyArray<Masking.Sent>): Promise<string> => {
  const { text, cut } = await read(response)
  // A page for people, from whatever stands before the server.
  if (/^\s*<(?:!doctype|html)/i.test(text)) return response.statusText
  const said = Masking.mask(messageOf(text) ?? text, sent)
  // The end of a text that was cut may be half of a value, which no mask finds.
  return cut ? said.slice(0, Math.max(0, said.length - Masking.longestForm(sent))) : said
}

/** The sentence within a JSON-RPC error, an OAuth error, or what looks like either. */
export const messageOf = (text: string): string | undefined => {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return undefined
  }
  const error = field(body, "error")
  return [field(error, "message"), field(body, "error_description"), field(body, "message"), error].find(
    (candidate) => typeof candidate === "string"
  )
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined

const read = async (response: HttpResponse): Promise<{ readonly text: string; readonly cut: boolean }> => {
  if (response.body === null) return { text: "", cut: false }
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  const deadline = AbortSignal.timeout(BODY_TIMEOUT)
  // Ends the read that is under way, as if the body had ended.
  deadline.addEventListener("abort", () => void reader.cancel().catch(() => undefined), { once: true })
  let text = ""
  let bytes = 0
  try {
    while (bytes <= BODY_LIMIT) {
      const { value, done } = await reader.read()
      if (done) return { text: text + decoder.decode(), cut: deadline.aborted }
      text += decoder.decode(value.subarray(0, BODY_LIMIT - bytes), { stream: true })
      bytes += value.byteLength
    }
    await reader.cancel()
  } catch {
    // The status was said; a body that breaks off takes nothing from it.
  }
  return { text, cut: true }
}

/** A sentence for what undici reports; its own messages may quote what was sent. */
const networkDescription = (error: unknown): string => {
  const code = codeOf(error)
  // Its code says which byte, and is not always there.
  if (error instanceof Error && error.name === "HTTPParserError") return "what it answers is no HTTP"
  return code === undefined ? "the request failed" : (NETWORK_ERRORS.get(code) ?? code)
}

const codeOf = (error: unknown): string | undefined => {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    if ("code" in current && typeof current.code === "string") return current.code
  }
  return undefined
}

const NETWORK_ERRORS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused; is the server running?"],
  ["ECONNRESET", "the server closed the connection before it answered"],
  ["UND_ERR_SOCKET", "the server closed the connection before it answered"],
  ["EPIPE", "the server closed the connection before it answered"],
  ["ENOTFOUND", "there is no host of that name"],
  ["EAI_AGAIN", "the name could not be looked up"],
  ["ETIMEDOUT", "no connection in time"],
  ["UND_ERR_CONNECT_TIMEOUT", "no connection in time"],
  ["EHOSTUNREACH", "no route to the host"],
  ["ENETUNREACH", "no route to the network"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "it does not speak TLS on this port; is its URL http://?"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "it does not speak TLS on this port; is its URL http://?"],
  ["UND_ERR_HEADERS_OVERFLOW", `the headers of its answer have more than ${HEADER_SIZE_LIMIT} bytes`],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is self-signed"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its certificate is signed by an authority that is not known here"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its certificate is signed by an authority that is not known here"],
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another host"]
])
