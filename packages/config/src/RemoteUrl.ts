/**
 * URLs of configurations. Refuses what is not https, except on this machine, and a URL with a user or password in it. A
 * query may hold a secret: it is sent, and never shown.
 */
import { ConfigError, DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import * as Effect from "effect/Effect"

/** A URL that may be read, and how it is shown. */
export interface RemoteUrl {
  readonly url: URL
  readonly shown: string
}

/** Whether a text names a URL rather than a file. */
export const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** Checks a URL, as much of it as may be shown. */
export const check = (text: string): Effect.Effect<RemoteUrl, ConfigError> => {
  // Of what cannot be read only the scheme is shown: any other part can hold a credential.
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? "URL"
  if (!URL.canParse(text)) return unreadable(scheme, "is not a URL; write it as https://host/path")
  const url = new URL(text)
  if (url.username !== "" || url.password !== "") {
    return unreadable(scheme, "a URL with a user name or password is refused; serve the configuration without")
  }
  url.hash = ""
  const shown = `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) {
    return Effect.succeed({ url, shown })
  }
  return unreadable(url.protocol === "http:" ? shown : scheme, "is refused: only https, or http on this machine")
}

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "[::1]" ||
  /^127(?:\.\d+){3}$/.test(hostname)

/** A failure to read what is shown as `path`. */
export const unreadable = (path: string, description: string): Effect.Effect<never, ConfigError> =>
  Effect.fail(new ConfigError({ reason: new DocumentUnreadable({ path, description }) }))
