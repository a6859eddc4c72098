/**
 * What an entry may let through (design rule 2); checked before anything is forwarded, and by who reads configurations.
 *
 * Both names of a listed header, the incoming one and the one it is sent under, are tokens that the protocol does not
 * own. Authorization, Cookie and Proxy-Authorization are credentials: they pass only where the entry says so in so many
 * words. Since incoming names compare with `_` as `-`, a name is judged in that form too.
 */
import * as Result from "effect/Result"
import { foldIncoming } from "../call/IncomingHeaders.ts"
import { HeaderInvalid } from "../headers/HeaderError.ts"
import { type FieldDefect, forwardField } from "../headers/HeaderPatch.ts"
import { formatPlace, type PassthroughHeader } from "../server/ServerEntry.ts"

/** Names that are forwarded only with `"credential": true`. */
export const CREDENTIAL_NAMES: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"])

/** Whether a listed header is a credential by its name, incoming or outgoing. */
export const isCredential = (header: Pick<PassthroughHeader, "name" | "as">): boolean =>
  [header.name, header.as].some((name) => CREDENTIAL_NAMES.has(foldIncoming(name)))

/** The first rule that the list of an entry breaks, or `undefined`. */
export const defect = (headers: ReadonlyArray<PassthroughHeader>): FieldDefect | undefined => {
  const targets = new Map<string, PassthroughHeader>()
  for (const header of headers) {
    const broken = nameDefect(header, header.name) ?? nameDefect(header, header.as)
    if (broken !== undefined) return broken
    if (!header.credential && isCredential(header)) {
      return new HeaderInvalid({ field: header.as, rule: CREDENTIAL_RULE, place: header.place })
    }
    // One of each rank may stand: the higher wins where both came.
    const target = `${foldIncoming(header.as)} ${header.override}`
    const other = targets.get(target)
    if (other !== undefined) {
      const rule = `is listed twice; the other place is ${formatPlace(other.place)}`
      return new HeaderInvalid({ field: header.as, rule, place: header.place })
    }
    targets.set(target, header)
  }
  return undefined
}

const CREDENTIAL_RULE = 'a credential is forwarded only where the entry says "credential": true'

/** Any value will do: this is about names. */
const SOME_VALUE = "-"

const nameDefect = (header: PassthroughHeader, name: string): FieldDefect | undefined =>
  [name, foldIncoming(name)]
    .map((spelling) => forwardField(spelling, SOME_VALUE, "", header.place))
    .find(Result.isFailure)?.failure
