/**
 * How long a helper that failed is left alone.
 *
 * At least a second, doubling with each failure in a row up to half a minute, spread a little so that several servers
 * whose helpers failed together do not all start them again together.
 */

/** Milliseconds after the first failure. */
export const FIRST = 1_000

/** Milliseconds at most, the spread included. */
export const MAXIMUM = 30_000

/** The part of the time that is left to chance. */
export const SPREAD = 0.2

/** Milliseconds after so many failures in a row; `chance` lies between 0 and 1. */
export const delay = (failures: number, chance: number): number =>
  // The spread is added, so that nothing starts sooner than the first delay says.
  Math.min(FIRST * 2 ** (failures - 1), MAXIMUM / (1 + SPREAD)) * (1 + SPREAD * chance)
