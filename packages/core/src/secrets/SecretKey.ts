/**
 * What a secret belongs to: never a name alone (design rule 9).
 *
 * A secret that was stored for one principal, server, field and origin is found for those and for nothing else: an
 * entry that points its URL elsewhere finds nothing. {@link hash} is where such a key meets the world of files: 64
 * hexadecimal digits, whatever is in the names, over one encoding in which no two keys look alike.
 */
import type * as Effect from "effect/Effect"
import { sha256 } from "../trust/CoveredFiles.ts"

export interface SecretKey {
  /** On whose behalf calls are made. */
  readonly principal: string
  /** The origin of the server's URL, such as `https://mcp.example.com`. */
  readonly origin: string
  /** The name of the server entry. */
  readonly server: string
  /** The name of the field, such as `API_KEY`. */
  readonly field: string
}

/** The form of what is hashed; another form is another hash. */
const FORM = "letterhead secret 1"

/** SHA-256 in hexadecimal digits. */
export const hash = (key: SecretKey): Effect.Effect<string> =>
  // JSON encodes an array of strings in one way only, lone surrogates and NUL included.
  sha256(new TextEncoder().encode(JSON.stringify([FORM, key.principal, key.origin, key.server, key.field])))

export const isSame = (a: SecretKey, b: SecretKey): boolean =>
  a.principal === b.principal && a.origin === b.origin && a.server === b.server && a.field === b.field
