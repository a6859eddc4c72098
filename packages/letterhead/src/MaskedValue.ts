/**
 * A header value as it is shown: never itself.
 *
 * The length always, and the last two characters where the value is long enough that two of them say nothing: enough
 * to see which of two keys is sent.
 */
import * as Redacted from "effect/Redacted"

/** Characters a value must have more of before any of them is shown. */
export const REVEAL_ABOVE = 12
/** Characters shown of such a value. */
export const REVEALED = 2

export const mask = (value: Redacted.Redacted): string => {
  const text = Redacted.value(value)
  return text.length > REVEAL_ABOVE ? `•••••… (${text.length}, …${text.slice(-REVEALED)})` : `••••• (${text.length})`
}

/** Characters of a value from which on it is looked for in other text: shorter ones stand everywhere. */
const LOOKED_FOR = 6

/**
 * Text of a configuration, such as the command of a helper, without the values that came of it: a command that holds
 * what it prints is shown without it.
 */
export const withoutValues = (text: string, values: ReadonlyArray<Redacted.Redacted>): string =>
  values
    .map((value) => Redacted.value(value).replace(/^(Bearer|Basic) /i, ""))
    .filter((value) => value.length >= LOOKED_FOR)
    .toSorted((a, b) => b.length - a.length)
    .reduce((shown, value) => shown.replaceAll(value, "•••••"), text)
