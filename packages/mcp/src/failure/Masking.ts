/**
 * Takes the values we sent out of text that came back (fault F83).
 *
 * A value is masked as it was sent, without its scheme (`Bearer …`), as the parts of a cookie and of a Basic
 * credential, and escaped for JSON or for a URL. Text is masked before it is cut, so that no half of a value is left.
 * What stands in a URL is sent too, and servers repeat the URL that they were asked for.
 */

/** Characters of a server's text that an error shows. */
export const DESCRIPTION_LIMIT = 500

/** What stands where a value stood. */
export const MASK = "***"

/** Values of fewer characters are masked only where they stand as a word: `1` is no secret within `2015`. */
const WORD_LENGTH = 8
/** A segment of a path with fewer characters is a word, or the number of a version. */
const SEGMENT_LENGTH = 16
/** Parts of a value with fewer characters are not masked on their own. */
const PART_LENGTH = 4

/** What was sent, such as the headers of a request. */
export interface Sent {
  readonly reveal: () => ReadonlyArray<readonly [name: string, value: string]>
}

/** The same without what else is known of it, for who remembers it. */
export const valuesOf = (sent: Sent): Sent => {
  const fields = sent.reveal()
  return { reveal: () => fields }
}

/**
 * What may be a credential in the path and in the query of a URL, decoded and as it is sent; `undefined` where nothing
 * may. Of a query these are the values that are long enough, of a path the segments that no person would think of: others
 * are words such as `true` or `mcp`, without which no sentence of a server could be read.
 */
export const credentialsOf = (url: URL): Sent | undefined => {
  const raw = url.search
    .slice(1)
    .split("&")
    .map((pair) => ["", pair.slice(pair.indexOf("=") + 1)] as const)
  const values = [...url.searchParams, ...raw].filter(([, value]) => value.length >= WORD_LENGTH)
  const segments = url.pathname
    .split("/")
    .filter((segment) => segment.length >= SEGMENT_LENGTH && /\d/.test(segment) && /[a-z]/i.test(segment))
    .flatMap((segment) => [["", segment] as const, ["", decoded(segment)] as const])
  const found = [...values, ...segments]
  return found.length === 0 ? undefined : { reveal: () => found }
}

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** `text` without the values of these headers, on one line, at most {@link DESCRIPTION_LIMIT} characters. */
export const describe = (text: string, sent: ReadonlyArray<Sent>): string => {
  const line = printable(mask(text, sent)).trim()
  return line.length <= DESCRIPTION_LIMIT ? line : `${line.slice(0, DESCRIPTION_LIMIT)}…`
}

/** `text` without the values of these headers. */
export const mask = (text: string, sent: ReadonlyArray<Sent>): string => without(text, formsOf(sent))

/** `url` without those values that are long enough for a credential: an address is full of short ones. */
export const maskUrl = (url: string, sent: ReadonlyArray<Sent>): string =>
  without(
    url,
    formsOf(sent).filter(({ length }) => length >= WORD_LENGTH)
  )

const formsOf = (sent: ReadonlyArray<Sent>): ReadonlyArray<string> =>
  sent.flatMap((headers) => headers.reveal().flatMap(([, value]) => forms(value)))

const without = (text: string, found: ReadonlyArray<string>): string => {
  const secrets = new Set(found)
  // The longest first: a value may contain another.
  return [...secrets].toSorted((a, b) => b.length - a.length).reduce(replace, text)
}

/** A value of JSON with these values masked in all its texts. */
export const maskWithin = (value: unknown, sent: ReadonlyArray<Sent>): unknown => {
  if (typeof value === "string") return mask(value, sent)
  if (Array.isArray(value)) return value.map((item) => maskWithin(item, sent))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, maskWithin(item, sent)]))
}

/** The longest text that {@link mask} looks for; a cut text may end in a part of it. */
export const longestForm = (sent: ReadonlyArray<Sent>): number =>
  Math.max(
    0,
    ...sent.flatMap((headers) => headers.reveal().flatMap(([, value]) => forms(value).map((form) => form.length)))
  )

/** Every form in which a value may come back. */
const forms = (value: string): ReadonlyArray<string> =>
  [value, ...parts(value).filter((part) => part.length >= PART_LENGTH)].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text)
  ])

const parts = (value: string): ReadonlyArray<string> => {
  const space = value.indexOf(" ")
  const credential = space === -1 ? value : value.slice(space + 1)
  const cookies = value.includes("=") ? value.split(/;\s*/).map((pair) => pair.slice(pair.indexOf("=") + 1)) : []
  return [credential, ...cookies, ...(/^basic /i.test(value) ? basicParts(credential) : [])]
}

const basicParts = (credential: string): ReadonlyArray<string> => {
  const text = Buffer.from(credential, "base64").toString("utf8")
  return [text, text.slice(text.indexOf(":") + 1)]
}

const replace = (text: string, secret: string): string => {
  if (secret.length === 0) return text
  if (secret.length >= WORD_LENGTH) return text.replaceAll(secret, MASK)
  const quoted = secret.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return text.replace(new RegExp(`(?<![A-Za-z0-9])${quoted}(?![A-Za-z0-9])`, "g"), MASK)
}

/** What a server sends must not move the cursor of the terminal it is shown on. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, " ")
