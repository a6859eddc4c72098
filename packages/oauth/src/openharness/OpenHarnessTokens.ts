/**
 * What OpenHarness keeps of a sign-in: a file `~/.oh/credentials/mcp/<name>.json`, or an entry of the keychain with the
 * service `openharness-mcp` and the server's name as its account. It is read, and never written.
 *
 * How it is written is not documented beyond its place. What the official SDK calls `OAuthTokens` is understood, at the
 * top or within an object such as `tokens`, and a client beside it. Anything else counts as no tokens, without a word:
 * so does OpenHarness itself take a file that is corrupt.
 */
import * as Ownership from "@letterhead/core/storage/Ownership"
import * as RegularFile from "@letterhead/core/storage/RegularFile"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"

/** The service in the keychain; the account is the server's name. */
export const KEYCHAIN_SERVICE = "openharness-mcp"

/** Bytes of a file that is looked at. */
export const SIZE_LIMIT = 64 * 1024

export interface OpenHarnessTokens {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken?: Redacted.Redacted
  /** Epoch milliseconds. */
  readonly expiresAt?: number
  readonly scope?: string
  /** The client that the tokens were issued to, where it is kept beside them. */
  readonly clientId?: string
  readonly clientSecret?: Redacted.Redacted
  readonly issuer?: string
  /** The server that the tokens are for, where that is kept beside them. */
  readonly serverUrl?: string
}

/** The file of a server; none where its name would be a path of its own. */
export const fileOf = (home: string, server: string): string | undefined =>
  FILE_NAME.test(server) && server !== "." && server !== ".."
    ? join(home, ".oh", "credentials", "mcp", `${server}.json`)
    : undefined

/** Reads a file; none where there is none, or one that is not the person's own alone or holds no tokens. */
export const readFile = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<Option.Option<OpenHarnessTokens>, never, FileSystem.FileSystem | Path.Path> {
  const account = yield* Ownership.account
  const found = yield* Effect.option(RegularFile.read(file, { limit: SIZE_LIMIT, root: false, account }))
  if (Option.isNone(found)) return Option.none()
  const { bytes, info } = found.value
  const writtenAt = Option.getOrUndefined(Option.map(info.mtime, (time) => time.getTime()))
  return decode(Redacted.make(new TextDecoder().decode(bytes)), writtenAt)
})

/** The tokens of a text; `writtenAt`, in epoch milliseconds, is what a lifetime in seconds counts from. */
export const decode = (text: Redacted.Redacted, writtenAt?: number): Option.Option<OpenHarnessTokens> => {
  const parts = partsOf(text)
  const tokens = parts.find((part) => TOKEN.test(textOf([part], ACCESS_TOKEN) ?? ""))
  const accessToken = tokens === undefined ? undefined : textOf([tokens], ACCESS_TOKEN)
  if (tokens === undefined || accessToken === undefined) return Option.none()
  const refreshToken = textOf([tokens], ["refresh_token", "refreshToken"])
  const expiresAt = expiryOf(tokens, writtenAt)
  const scope = textOf([tokens], ["scope"])
  const clientId = textOf(parts, ["client_id", "clientId"])
  const clientSecret = textOf(parts, ["client_secret", "clientSecret"])
  const issuer = textOf(parts, ["issuer"])
  const serverUrl = textOf(parts, ["serverUrl", "server_url"])
  return Option.some({
    accessToken: Redacted.make(accessToken),
    ...(refreshToken === undefined ? {} : { refreshToken: Redacted.make(refreshToken) }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scope === undefined ? {} : { scope }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret: Redacted.make(clientSecret) }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(serverUrl === undefined ? {} : { serverUrl })
  })
}

// oxlint-disable-next-line no-control-regex -- what no file name has
const FILE_NAME = /^[^/\\\u0000-\u001f]{1,200}$/

const ACCESS_TOKEN = ["access_token", "accessToken"]

/** What a header can carry, less the blanks that no token has. */
const TOKEN = /^[\x21-\x7e]{1,8000}$/

type Part = Readonly<Record<string, unknown>>

/** The object of the text and those directly within it. */
const partsOf = (text: Redacted.Redacted): ReadonlyArray<Part> => {
  try {
    const value: unknown = JSON.parse(Redacted.value(text))
    return isPart(value) ? [value, ...Object.values(value).filter(isPart)] : []
  } catch {
    // The parser's own message would quote a token.
    return []
  }
}

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (parts: ReadonlyArray<Part>, names: ReadonlyArray<string>): string | undefined => {
  for (const part of parts) {
    for (const name of names) {
      const value = Object.hasOwn(part, name) ? part[name] : undefined
      if (typeof value === "string" && value !== "") return value
    }
  }
  return undefined
}

const expiryOf = (tokens: Part, writtenAt: number | undefined): number | undefined => {
  for (const name of ["expires_at", "expiresAt"]) {
    const value = Object.hasOwn(tokens, name) ? tokens[name] : undefined
    if (typeof value === "string") return dateOf(value)
    if (typeof value === "number" && Number.isFinite(value)) return value < SECONDS_BELOW ? value * 1_000 : value
  }
  const lifetime = Object.hasOwn(tokens, "expires_in") ? tokens["expires_in"] : undefined
  return typeof lifetime === "number" && Number.isFinite(lifetime) && writtenAt !== undefined
    ? writtenAt + lifetime * 1_000
    : undefined
}

/** As seconds this is the year 5138, as milliseconds 1973. */
const SECONDS_BELOW = 100_000_000_000

const dateOf = (text: string): number | undefined => {
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
