/**
 * The headers an entry writes down itself, with their variables and files.
 *
 * Read at connect, so that a rotated variable or file is seen at the next one; read again when the server refuses
 * what was sent, and sent once more if that gives another value.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import type { CallContext } from "../call/CallContext.ts"
import { HeaderError, type HeaderErrorReason } from "../headers/HeaderError.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import { formatPlace, type ServerEntry } from "../server/ServerEntry.ts"
import * as Template from "../server/Template.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"

export const ID = "static"

/** The source; it reads files and variables only where the trust gate lets it. */
export const make: Effect.Effect<HeaderSource, never, FileSystem.FileSystem | Path.Path | TrustGate> = Effect.gen(
  function* () {
    const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const gate = yield* TrustGate

    const resolve = Effect.fnUntraced(function* (
      entry: ServerEntry
    ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
      const fail = (reason: HeaderErrorReason) => new HeaderError({ server: entry.name, source: ID, reason })
      if (entry.headers.some((header) => Template.readsOutside(header.value))) yield* gate.require(entry)
      const set: Array<HeaderPatch.SetField> = []
      const omitted: Array<HeaderPatch.OmittedField> = []
      for (const header of entry.headers) {
        const value = yield* Template.evaluate(header.value, { origin: entry.origin, place: header.place }).pipe(
          Effect.provide(services),
          Effect.mapError(fail)
        )
        if (value.length === 0) {
          omitted.push({ name: header.name, declared: formatPlace(header.place), why: "its value is empty" })
          continue
        }
        set.push(
          yield* Effect.fromResult(
            HeaderPatch.setField(header.name, value, () => formatPlace(header.place), header.place)
          ).pipe(Effect.mapError(fail))
        )
      }
      return { ...HeaderPatch.empty(ID, Rank.static), set, omitted }
    })

    const challenge = Effect.fnUntraced(function* (entry: ServerEntry, _call: CallContext, sent: ResolvedHeaders) {
      if (!entry.headers.some((header) => Template.readsOutside(header.value))) return false
      const now = yield* resolve(entry)
      return now.set.some((field) => {
        const before = sent.get(field.name)
        return (
          before?.source === ID &&
          before.value !== undefined &&
          Redacted.value(before.value) !== Redacted.value(field.value)
        )
      })
    })

    return {
      id: ID,
      rank: Rank.static,
      lifetime: "connection",
      applies: (entry) => entry.headers.length > 0,
      resolve,
      challenge
    }
  }
)
