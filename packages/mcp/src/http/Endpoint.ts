/**
 * Where the requests of a connection go, and to which of these places its headers belong (design rule 4): never to
 * another origin, and at its own to the MCP endpoint alone.
 */
import { RequestFailure } from "../failure/RequestFailure.ts"
import { RedirectRefused } from "../McpError.ts"

/**
 * Where headers go: to the path of the entry's URL alone, or, for HTTP+SSE, whose server names another one to send to, to
 * each path of its origin but those under `/.well-known/`.
 */
export type Paths = "endpoint" | "origin"

/** Where a request goes. */
export interface RequestTarget {
  readonly url: URL
  readonly origin: string
  /** With the query. */
  readonly path: string
}

export class Endpoint {
  /** The entry's URL. */
  readonly target: RequestTarget
  readonly #paths: Paths

  constructor(url: URL, paths: Paths) {
    this.target = targetOf(url)
    this.#paths = paths
  }

  /** Where a request goes; fails where that is another origin, since nothing is sent there. */
  find(input: string | URL): RequestTarget {
    const { origin, url } = this.target
    if ((typeof input === "string" ? input : input.href) === url.href) return this.target
    const target = targetOf(new URL(input))
    if (target.origin !== origin) throw new RequestFailure(new RedirectRefused({ target: target.origin }))
    return target
  }

  /** Whether the headers of the connection belong there. */
  owns({ url }: RequestTarget): boolean {
    return this.#paths === "origin" ? !isWellKnown(url) : url.pathname === this.target.url.pathname
  }
}

const targetOf = (url: URL): RequestTarget => ({ url, origin: url.origin, path: `${url.pathname}${url.search}` })

/** Whether a path is one of RFC 8615, however it is written; one that cannot be decoded may be. */
const isWellKnown = ({ pathname }: URL): boolean => {
  try {
    return /^\/+\.well-known(?:\/|$)/i.test(decodeURIComponent(pathname))
  } catch {
    return true
  }
}
