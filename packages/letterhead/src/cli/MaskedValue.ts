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
