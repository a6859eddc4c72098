/**
 * The name under which a secret stands in the keychain.
 *
 * It begins with the name of the server, the field and the origin, so that a person finds it with the platform's own
 * tools, and ends with the hash of the whole key, so that no two keys share it whatever is in their names.
 */
import { hash, type SecretKey } from "@letterhead/core/secrets/SecretKey"
import { printable } from "@letterhead/core/trust/SubjectText"
import * as Effect from "effect/Effect"

/** Characters of each part that are shown; Windows takes 512 in all. */
const PART_LIMIT = 80

export const accountOf = (key: SecretKey): Effect.Effect<string> =>
  Effect.map(hash(key), (name) => `${shown(key.server)} ${shown(key.field)} ${shown(key.origin)} #${name}`)

const shown = (part: string): string => printable(part).slice(0, PART_LIMIT)
