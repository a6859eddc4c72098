/**
 * What may be shown, at debug level, of what a helper wrote to standard error.
 *
 * A helper that fails often says why there, and just as often prints the request it made, token and all. So a word is
 * shown only where it looks like a word: letters of one natural case and of ordinary length, or a number of few digits,
 * and neither part of anything the helper printed or was given nor directly after what announces a credential. Anything
 * else is masked: paths, URLs, identifiers. The lines stay readable enough to find the place in the helper's source.
 */

/** Bytes of the end of standard error that are kept. */
export const TAIL_LIMIT = 4 * 1024

/** What stands in place of a word that may be a secret. */
export const MASK = "***"

/** The end of what was written so far and what came now. */
export const appendTail = (tail: Uint8Array, chunk: Uint8Array): Uint8Array => {
  if (chunk.length >= TAIL_LIMIT) return chunk.slice(chunk.length - TAIL_LIMIT)
  const kept = tail.subarray(Math.max(0, tail.length + chunk.length - TAIL_LIMIT))
  const joined = new Uint8Array(kept.length + chunk.length)
  joined.set(kept)
  joined.set(chunk, kept.length)
  return joined
}

/** The lines that may be shown; `known` is text whose words are secret: the output, the variables that were added. */
export const shown = (tail: Uint8Array, known: ReadonlyArray<string>): ReadonlyArray<string> =>
  new TextDecoder()
    .decode(tail)
    .split(/[\r\n]+/)
    .map((line) => shownLine(line, known))
    .filter((line) => line.length > 0)

const shownLine = (line: string, known: ReadonlyArray<string>): string => {
  let announced = false
  const words: Array<string> = []
  for (const word of line.split(/\s+/).filter((part) => part.length > 0)) {
    if (!announced && isPlain(word, known)) words.push(word)
    else if (words.at(-1) !== MASK) words.push(MASK)
    announced = ANNOUNCES.test(word)
  }
  return words.join(" ")
}

const isPlain = (word: string, known: ReadonlyArray<string>): boolean => {
  const body = WORD.exec(word)?.[1]
  if (body === undefined || SPEAKS_OF_SECRETS.test(body)) return false
  return body.length < 4 || !known.some((text) => text.includes(body))
}

/** A word in lower case, capitalised or in capitals, or a number of up to four digits, with punctuation around it. */
const WORD = /^["'([]{0,2}([a-z]{1,14}|[A-Z][a-z]{1,13}|[A-Z]{2,10}|[A-Z][a-z]{2,10}Error|\d{1,4})["')\],.:;!?]{0,3}$/

/** What is written before a credential. */
const ANNOUNCES =
  /(?:bearer|basic|token|key|secret|password|passwd|passphrase|cookie|credentials?|authorization)["')\]]*[:=]?$|[=]$/i

/** One word glued to another that means a secret: `supersecret`, `mytoken`. */
const SPEAKS_OF_SECRETS = /.(?:secret|token|passw)|(?:secret|token|passw(?!ord$|d$)).*[a-z]{2}/i
