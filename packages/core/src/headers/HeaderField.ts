/**
 * One header field: a name and a value as in RFC 9110, checked against the limits of this library.
 *
 * Names and values are rejected, never mended: a value with a blank at its end is an error, not a value without one.
 * A rule is a sentence about the field; it never quotes the value.
 */

/** Bytes of a name. */
export const NAME_LIMIT = 256
/** Bytes of one value. */
export const VALUE_LIMIT = 8_192
/** Fields of one request that come from sources. */
export const FIELD_COUNT_LIMIT = 64
/** Bytes of all names and values from sources together. */
export const TOTAL_LIMIT = 12 * 1024

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Visible ASCII, space and tab: narrower than RFC 9110 section 5.5, which also lets obs-text through. */
const VALUE = /^[\t\x20-\x7e]*$/

/** How names compare: RFC 9110 section 5.1, without regard to case. */
export const foldName = (name: string): string => name.toLowerCase()

/** The rule that a name breaks, or `undefined`. */
export const nameDefect = (name: string): string | undefined => {
  if (name.length === 0) return "a name has at least one character"
  if (name.length > NAME_LIMIT) return `a name has at most ${NAME_LIMIT} bytes`
  if (!TOKEN.test(name)) return "a name is an RFC 9110 token: letters, digits and !#$%&'*+-.^_`|~"
  return undefined
}

/** The rule that a value breaks, or `undefined`. */
export const valueDefect = (value: string): string | undefined => {
  if (value.length === 0) return "a value has at least one character"
  if (value.length > VALUE_LIMIT) return `a value has at most ${VALUE_LIMIT} bytes`
  if (!VALUE.test(value)) {
    return /[\r\n]/.test(value)
      ? "a value has no line break"
      : "a value is visible ASCII, space and tab, without other control or non-ASCII characters"
  }
  if (/^[\t ]|[\t ]$/.test(value)) return "a value has no blank at its start or end"
  return undefined
}

/** Hop-by-hop and framing fields of HTTP, and what proxies, browsers and MCP itself own; design rule 2. */
const OWNED_NAMES: ReadonlySet<string> = new Set([
  "accept",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "last-event-id",
  "origin",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-real-ip"
])
const OWNED_PREFIXES = /^(?:mcp|sec|x-forwarded)-/

/** What passthrough may forward where the entry names it, and no source may set of its own accord. */
const FORWARDED_NAMES: ReadonlySet<string> = new Set(["proxy-authorization"])

/**
 * Whether the protocol owns a name, so that no source may set it.
 *
 * Proxy-Authorization speaks to a proxy, not to the server, and is owned too; {@link isForwardedOnly} is the exception.
 */
export const isProtocolOwned = (name: string): boolean => {
  const folded = foldName(name)
  return OWNED_NAMES.has(folded) || OWNED_PREFIXES.test(folded)
}

/** Whether a name is the protocol's but for passthrough, which forwards it where the entry says so (design rule 2). */
export const isForwardedOnly = (name: string): boolean => FORWARDED_NAMES.has(foldName(name))
