/**
 * What somebody else wrote, such as an authorization server's `error_description`, as it may be shown to a person.
 *
 * Our own secrets are masked first, as they are and as JSON, a URL or a form writes them, or one of these within another,
 * so that cutting leaves no part of one. Control characters and those that are invisible or change the direction of reading
 * are shown as escapes. The rest is cut.
 */

/** Characters that are shown at most. */
export const TEXT_LIMIT = 300

/** What stands where a secret stood. */
export const MASK = "***"

/** `text` on one line, without these secrets and without what moves a cursor. */
export const shown = (text: string, secrets: ReadonlyArray<string> = []): string => {
  const line = masked(text, secrets).trim().replace(UNSAFE, escape)
  return line.length <= TEXT_LIMIT ? line : `${line.slice(0, TEXT_LIMIT)}…`
}

/** Whether one of these secrets is in `text`. */
export const holds = (text: string, secrets: ReadonlyArray<string>): boolean => masked(text, secrets) !== text

/** `text` with {@link MASK} in the place of each of these secrets. */
export const masked = (text: string, secrets: ReadonlyArray<string>): string =>
  secrets
    .filter((secret) => secret !== "")
    .flatMap((secret) => writings(secret).flatMap(writings))
    .toSorted((one, other) => other.length - one.length)
    .reduce((rest, secret) => rest.replaceAll(secret, MASK), text)

const writings = (text: string): ReadonlyArray<string> => [
  text,
  JSON.stringify(text).slice(1, -1),
  // Half a character cannot be written in a URL.
  encodeURIComponent(text.toWellFormed()),
  new URLSearchParams({ "": text }).toString().slice(1)
]

/** Control characters, half characters, and those that are invisible or change the direction of text. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu

const escape = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`
