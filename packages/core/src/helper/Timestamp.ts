/**
 * A point in time as RFC 3339 writes it, the one form in which a helper may say when its answer ends.
 *
 * Stricter than `Date.parse`, which takes almost anything: the offset must be there, and a day that the month does not
 * have is no time. A leap second counts as the second after it.
 */

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/

const MINUTE = 60_000

/** Epoch milliseconds, or `undefined` where the text is not RFC 3339. */
export const parse = (text: string): number | undefined => {
  // The longest meaningful form has 35 characters; more digits of a second than that say nothing.
  if (text.length > 64) return undefined
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const part = (index: number): number => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  if (hour > 23 || minute > 59 || second > 60 || part(9) > 23 || part(10) > 59) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  date.setUTCHours(hour, minute, second, Math.trunc(part(7) * 1_000))
  const offset = (part(9) * 60 + part(10)) * MINUTE
  return date.getTime() - (match[8] === "-" ? -offset : offset)
}
