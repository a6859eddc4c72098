/** Seeded random JSON texts and their corruptions, for the property tests of the readers. */

/** A generator of numbers from 0 to 1, the same for the same seed. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const STRINGS = [
  "",
  "a",
  "Authorization",
  "Bearer x",
  '"',
  "\\",
  "\n",
  "\u0000",
  "é",
  "😀",
  "\ud800",
  "__proto__",
  "\ufeff"
]
/** Names that need no escape: V8's JSON.parse mistakes one escaped name for another that it has met before. */
const NAMES = ["", "a", "Authorization", "authorization", "é", "😀", "__proto__", "constructor", "headers", "expires"]
const NUMBERS = [0, -0, 1, -1, 1.5, 1e21, 1e-7, 123_456_789]

const pick = <A>(random: () => number, items: ReadonlyArray<A>): A => items[Math.floor(random() * items.length)]!

const blank = (random: () => number): string => (random() < 0.7 ? "" : pick(random, [" ", "\n", "\t", "\r\n "]))

/** A JSON text with at most `depth` levels. */
export const jsonText = (random: () => number, depth: number): string => {
  const kind = Math.floor(random() * (depth > 0 ? 7 : 5))
  const body = (): string => {
    switch (kind) {
      case 0:
      case 1:
        return JSON.stringify(pick(random, STRINGS))
      case 2:
        return String(pick(random, NUMBERS))
      case 3:
        return pick(random, ["true", "false", "null"])
      case 4:
        return pick(random, ['"\\u0041\\ud83d\\ude00"', '"\\/\\b\\f"', "-0.0e+3", "[]", "{}"])
      case 5:
        return `[${several(random, () => jsonText(random, depth - 1))}]`
      default:
        return `{${several(random, () => `${JSON.stringify(pick(random, NAMES))}${blank(random)}:${jsonText(random, depth - 1)}`)}}`
    }
  }
  return `${blank(random)}${body()}${blank(random)}`
}

const several = (random: () => number, one: () => string): string =>
  Array.from({ length: Math.floor(random() * 4) }, one).join(",")

const MARKS = [...new TextEncoder().encode('{}[],:"\\ \n019.-+eEtfnu\u0001')]

/** The bytes with a few of them cut, changed, doubled or put in. */
export const corrupted = (random: () => number, bytes: Uint8Array): Uint8Array => {
  const list = [...bytes]
  for (let count = Math.floor(random() * 3); count > 0; count--) {
    const at = Math.floor(random() * (list.length + 1))
    const byte = random() < 0.6 ? pick(random, MARKS) : Math.floor(random() * 256)
    switch (Math.floor(random() * 4)) {
      case 0:
        list.splice(at, 1)
        break
      case 1:
        list.splice(at, 1, byte)
        break
      case 2:
        list.splice(at, 0, byte)
        break
      default:
        list.splice(at)
    }
  }
  return Uint8Array.from(list)
}

/** What `JSON.parse` makes of the bytes, or `undefined` where they are not JSON in UTF-8. */
export const parsed = (bytes: Uint8Array): { readonly value: unknown } | undefined => {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}
