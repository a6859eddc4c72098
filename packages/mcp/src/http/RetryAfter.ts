/**
 * When a request that may be repeated is sent again: what a server says in `Retry-After`, and what is done where it
 * says nothing that can be used.
 */
import type { HttpLimits } from "./HttpLimits.ts"

/** The part of a delay that is left to chance, so that what failed together does not come back together. */
const SPREAD = 0.5

/**
 * Milliseconds that a `Retry-After` field asks for, or `undefined` where it says none.
 *
 * Whole seconds, or a date in one of the three forms of RFC 9110 section 5.6.7; a date that is past asks for 0.
 */
export const parse = (value: string | undefined, now: number): number | undefined => {
  const text = value?.trim() ?? ""
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1_000
  if (!DATE.test(text)) return undefined
  const date = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT; Sun Nov  6 08:49:37 1994. */
const DATE =
  /^[A-Z][a-z]{2,8}(?:, \d\d[ -][A-Z][a-z]{2}[ -](?:\d{4}|\d\d) \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/

/**
 * Milliseconds to wait before the repetition that follows so many, or `undefined` where the server asks for more than
 * the limit; `chance` lies between 0 and 1. A time that the server names is never cut short.
 */
export const delay = (
  retryAfter: number | undefined,
  repetitions: number,
  chance: number,
  limits: HttpLimits
): number | undefined => {
  if (retryAfter !== undefined && retryAfter > limits.retryAfter) return undefined
  const backOff = Math.min(limits.backOff * 2 ** repetitions, limits.retryAfter) * (1 - SPREAD * chance)
  return Math.max(backOff, retryAfter ?? 0)
}
