/**
 * Which addresses may be asked on the word of somebody else: the MCP server and its authorization server name URLs that
 * this program then requests from where it runs, which may be inside a network that they cannot see.
 *
 * Asked is `https` only, without credentials in the URL, and only public addresses, whatever the name resolves to. An
 * MCP server that itself is on this machine may name this machine too, over `http` as well. An origin that may be asked
 * anyway, which is that of the MCP server and those of {@link TrustedOrigins}, may have any address but must be `https`.
 *
 * What an address is, ipaddr.js says. An IPv6 address that carries an IPv4 one (mapped, NAT64) is what that one is.
 */
import * as Context from "effect/Context"
import * as Result from "effect/Result"
import ipaddr from "ipaddr.js"

/**
 * Origins of authorization servers that may have an address inside a private network, such as
 * `https://login.corp.example`. Default: none.
 */
export const TrustedOrigins: Context.Reference<ReadonlyArray<string>> = Context.Reference<ReadonlyArray<string>>(
  "@letterhead/oauth/http/UrlPolicy/TrustedOrigins",
  { defaultValue: () => [] }
)

/** `special` is everything that is no public host: private, link-local, shared, multicast, reserved, no address at all. */
export type AddressKind = "public" | "loopback" | "special"

export interface UrlPolicy {
  /** The URL, or the rule it breaks; the rule never quotes it. Says nothing yet of what its name resolves to. */
  readonly check: (url: string | URL) => Result.Result<URL, string>
  /** Whether the URL may be asked at this address, which its name resolved to. */
  readonly allows: (url: URL, address: string) => boolean
}

/** The kind of an address as DNS, or a URL without its brackets, writes it. */
export const classify = (address: string): AddressKind => {
  const text = address.includes(":") ? withoutDots(address) : address
  if (!ipaddr.isValid(text)) return "special"
  const parsed = ipaddr.parse(text)
  if (parsed.kind() === "ipv4") return kindOf(parsed.range())
  const bytes = parsed.toByteArray()
  const range = parsed.range()
  if (range === "ipv4Mapped") return kindOf(ipaddr.fromByteArray(bytes.slice(12)).range())
  if (ipaddr.subnetMatch(parsed, { nat64: NAT64 }, "other") === "nat64") {
    // A translator has no way to this machine: what it carries is public, or it is nothing.
    return kindOf(ipaddr.fromByteArray(bytes.slice(12)).range()) === "public" ? "public" : "special"
  }
  if (range === "loopback") return "loopback"
  // Only this eighth of all addresses has been given to hosts; ipaddr.js calls the unassigned rest unicast too.
  return range === "unicast" && ipaddr.subnetMatch(parsed, { global: GLOBAL }, "other") === "global"
    ? "public"
    : "special"
}

/** Whether a URL names this machine, by a name or address that can mean nothing else. */
export const isLoopback = (url: URL): boolean => {
  const host = hostOf(url)
  return host === "localhost" || host.endsWith(".localhost") || classify(host) === "loopback"
}

/** The rules for the URLs that a server names. */
export const make = (options: {
  /** Of the MCP server. */
  readonly serverUrl: URL
  /** See {@link TrustedOrigins}. */
  readonly trustedOrigins: ReadonlyArray<string>
}): UrlPolicy => {
  const local = isLoopback(options.serverUrl)
  const known: ReadonlySet<string> = new Set([options.serverUrl.origin, ...options.trustedOrigins])
  const isAllowed = (url: URL, address: string): boolean => {
    const kind = classify(address)
    if (isLoopback(url)) return local && kind === "loopback"
    return known.has(url.origin) || kind === "public" || (local && kind === "loopback")
  }
  return {
    check: (text) => {
      const url = URL.parse(String(text))
      if (url === null) return Result.fail("is not a URL")
      if (url.protocol !== "https:" && !(url.protocol === "http:" && local && isLoopback(url))) {
        return Result.fail("is not https")
      }
      if (url.username !== "" || url.password !== "") return Result.fail("contains a user name or a password")
      if (url.href.length > URL_LIMIT) return Result.fail(`is longer than ${URL_LIMIT} characters`)
      const host = hostOf(url)
      if (isLoopback(url) && !local) return Result.fail("names this machine, which the MCP server is not on")
      if (ipaddr.isValid(host) && !isAllowed(url, host)) return Result.fail("is an address inside a private network")
      return Result.succeed(url)
    },
    allows: isAllowed
  }
}

const URL_LIMIT = 8_192

const NAT64 = ipaddr.IPv6.parseCIDR("64:ff9b::/96")

const GLOBAL = ipaddr.IPv6.parseCIDR("2000::/3")

/** ipaddr.js takes `::127.0.0.1`, a form that nothing uses any more, for the mapped one; the URL standard does not. */
const withoutDots = (address: string): string => URL.parse(`http://[${address}]`)?.hostname.slice(1, -1) ?? ""

const kindOf = (range: string): AddressKind => {
  if (range === "unicast") return "public"
  return range === "loopback" ? "loopback" : "special"
}

/** The URL standard has written numbers of all spellings as four decimal ones, and names in lower case. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
