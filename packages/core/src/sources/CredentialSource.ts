/**
 * The headers of the fields that a person filled in once, from the secret store.
 *
 * Read at connect, and again when the server refuses what was sent. A value is found by principal, the origin of the
 * entry's URL now, server and field: an entry that points elsewhere finds nothing. Where nothing is stored a field's
 * default is sent; a required field without either is an error that says how to set it.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import type { CallContext } from "../call/CallContext.ts"
import { CredentialMissing, HeaderError, type HeaderErrorReason } from "../headers/HeaderError.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import type { SecretKey } from "../secrets/SecretKey.ts"
import { SecretStore } from "../secrets/SecretStore.ts"
import { type CredentialField, formatPlace, type ServerEntry } from "../server/ServerEntry.ts"
import * as ServerUrl from "../server/ServerUrl.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"

export const ID = "credential"

/** The key of a field's value for a principal; reads what the entry's URL names only where the trust gate lets it. */
export const keyOf = (
  entry: ServerEntry,
  principal: string,
  field: string
): Effect.Effect<SecretKey, HeaderError, TrustGate | FileSystem.FileSystem | Path.Path> =>
  Effect.map(ServerUrl.evaluate(entry), ({ origin }) => ({ principal, origin, server: entry.name, field }))

/** The header that a value of the field makes; fails with the rule that it breaks. */
export const fieldWith = (field: CredentialField, value: string) =>
  HeaderPatch.setField(field.headerName, field.valuePrefix + value, () => declaredBy(field), field.place)

/** The source; it reads the store only where the trust gate lets it. */
export const make: Effect.Effect<HeaderSource, never, SecretStore | TrustGate | FileSystem.FileSystem | Path.Path> =
  Effect.gen(function* () {
    const services = yield* Effect.context<SecretStore | TrustGate | FileSystem.FileSystem | Path.Path>()

    const resolve = Effect.fnUntraced(function* (
      entry: ServerEntry,
      call: CallContext
    ): Effect.fn.Return<
      HeaderPatch.HeaderPatch,
      HeaderError,
      SecretStore | TrustGate | FileSystem.FileSystem | Path.Path
    > {
      if (!applies(entry)) return HeaderPatch.empty(ID, Rank.credential)
      yield* (yield* TrustGate).require(entry)
      const store = yield* SecretStore
      const set: Array<HeaderPatch.SetField> = []
      const omitted: Array<HeaderPatch.OmittedField> = []
      const missing: Array<string> = []
      for (const field of entry.credentials) {
        const stored = yield* store.get(yield* keyOf(entry, call.principal, field.name))
        const value = Option.match(stored, { onNone: () => field.default, onSome: Redacted.value })
        if (value !== undefined && value !== "") {
          set.push(
            yield* Effect.fromResult(fieldWith(field, value)).pipe(Effect.mapError((reason) => inEntry(entry, reason)))
          )
        } else if (field.required) {
          missing.push(field.name)
        } else {
          omitted.push({
            name: field.headerName,
            declared: declaredBy(field),
            why: `${field.name} is not set; set it with: letterhead credential set ${entry.name} ${field.name}`
          })
        }
      }
      if (missing.length > 0) {
        return yield* inEntry(entry, new CredentialMissing({ server: entry.name, fields: missing }))
      }
      return { ...HeaderPatch.empty(ID, Rank.credential), set, omitted }
    })

    const challenge = Effect.fnUntraced(function* (entry: ServerEntry, call: CallContext, sent: ResolvedHeaders) {
      if (!applies(entry)) return false
      const now = yield* resolve(entry, call)
      return now.set.some((field) => {
        const before = sent.get(field.name)
        // What another source's value hid would be hidden again.
        if (before?.value === undefined) return true
        return before.source === ID && Redacted.value(before.value) !== Redacted.value(field.value)
      })
    })

    return {
      id: ID,
      rank: Rank.credential,
      lifetime: "connection",
      applies,
      resolve: (entry, call) => Effect.provideContext(resolve(entry, call), services),
      challenge: (entry, call, sent) => Effect.provideContext(challenge(entry, call, sent), services)
    }
  })

const applies = (entry: ServerEntry): boolean => entry.credentials.length > 0

const declaredBy = (field: CredentialField): string => `credential ${field.name} · ${formatPlace(field.place)}`

const inEntry = (entry: ServerEntry, reason: HeaderErrorReason): HeaderError =>
  new HeaderError({ server: entry.name, source: ID, reason })
