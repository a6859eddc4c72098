/** The names of the subjects that bounds speak of; each is a line of the tables. */

export const OLDER = "SDK v1"
export const OLDER_UNDICI = "SDK v1 over undici"
export const OLDER_OURS = "SDK v1 with Letterhead"
export const NEW_PER_CALL = "SDK v1, a new client per call"
export const CURRENT_LEGACY = "SDK v2, legacy"
export const CURRENT_LEGACY_UNDICI = "SDK v2, legacy, over undici"
export const CURRENT_LEGACY_OURS = "SDK v2, legacy, with Letterhead"
export const CURRENT_MODERN = "SDK v2, modern"
export const CURRENT_MODERN_UNDICI = "SDK v2, modern, over undici"
export const CURRENT_MODERN_OURS = "SDK v2, modern, with Letterhead"
export const EFFECT = "Effect's client"
export const EFFECT_UNDICI = "Effect's client over undici"
export const EFFECT_OURS = "Effect's client with Letterhead"

/** A client with Letterhead, the same without, and the same on Letterhead's undici path with static headers. */
export interface Pair {
  readonly ours: string
  readonly bare: string
  readonly undici: string
  /** How many times as many calls per second as bare are wanted with 32 in flight. */
  readonly wanted: number
}

export const PAIRS: ReadonlyArray<Pair> = [
  { ours: OLDER_OURS, bare: OLDER, undici: OLDER_UNDICI, wanted: 2 },
  { ours: CURRENT_LEGACY_OURS, bare: CURRENT_LEGACY, undici: CURRENT_LEGACY_UNDICI, wanted: 1.6 },
  { ours: CURRENT_MODERN_OURS, bare: CURRENT_MODERN, undici: CURRENT_MODERN_UNDICI, wanted: 1.6 },
  { ours: EFFECT_OURS, bare: EFFECT, undici: EFFECT_UNDICI, wanted: 1.6 }
]

export const CONNECT_LEGACY = "Letterhead's connect, legacy"
export const CONNECT_MODERN = "Letterhead's connect, modern"

/** The subjects with a connection worth looking at. */
export const CONNECTING: ReadonlySet<string> = new Set([
  ...PAIRS.flatMap(({ ours, bare, undici }) => [bare, undici, ours]),
  CONNECT_LEGACY,
  CONNECT_MODERN
])
