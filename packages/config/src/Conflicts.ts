/**
 * Where two sources of one entry claim the same header and the entry does not say which counts (design rule 1).
 *
 * What is let through ranks below everything, so an entry that also sets that header itself would never let it
 * through; and a credential that is let through, or an Authorization that the entry or a person's own field sets, keeps
 * OAuth from ever being used. Each is a mistake, found at load, unless the passthrough header says `override: true`.
 * What a helper prints is known only once it has run: that it prints Authorization beside `auth: "oauth"` is found then.
 */
import { foldIncoming } from "@letterhead/core/call/IncomingHeaders"
import { foldName } from "@letterhead/core/headers/HeaderField"
import { HeaderConflict } from "@letterhead/core/server/ConfigError"
import type { Place, ServerEntry } from "@letterhead/core/server/ServerEntry"

/** The first conflict of an entry; `authPlace` is where its `auth` was written. */
export const find = (entry: ServerEntry, authPlace: Place): HeaderConflict | undefined => {
  const set = [
    ...entry.headers.map(({ name, place }) => ({ name, place })),
    ...entry.credentials.map(({ headerName, place }) => ({ name: headerName, place }))
  ]
  if (entry.auth === "oauth") {
    const own = set.find(({ name }) => foldName(name) === "authorization")
    if (own !== undefined) {
      return new HeaderConflict({ header: own.name, place: own.place, other: authPlace, remedy: OWN_BESIDE_OAUTH })
    }
  }
  for (const passthrough of entry.passthrough) {
    if (passthrough.override) continue
    const { as: header, place } = passthrough
    const twin = set.find(({ name }) => foldIncoming(name) === foldIncoming(header))
    if (twin !== undefined) return new HeaderConflict({ header, place, other: twin.place, remedy: SET_TWICE })
    if (entry.auth === "oauth" && (passthrough.credential || foldName(header) === "authorization")) {
      return new HeaderConflict({ header, place, other: authPlace, remedy: BESIDE_OAUTH })
    }
  }
  return undefined
}

const SET_TWICE = `remove one of them, or say here "override": true to prefer what comes in`
const OWN_BESIDE_OAUTH = `set "auth" to "none", or remove this`
const BESIDE_OAUTH = `set "auth" to "none", remove this, or say here "override": true to prefer what comes in`
