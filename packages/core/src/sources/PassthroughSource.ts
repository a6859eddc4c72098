/**
 * The headers of the request that the runtime serves, let through to the server.
 *
 * Guarantees that only listed names pass, each at most once, and unchanged: a field that came more than once is
 * refused, whatever the spellings, and a value that breaks a rule is an error that does not show it. A listed header
 * that did not come is left out, or an error before any request where it is required. What the connection sends of its
 * own accord carries what came with its owner's call.
 *
 * There are two sources, since a source has one rank: listed headers yield to all others, those with `override` only
 * to hooks. Neither takes challenges: nobody here can get another value.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CallContext } from "../call/CallContext.ts"
import { type IncomingHeader, named } from "../call/IncomingHeaders.ts"
import { HeaderError, type HeaderErrorReason, HeaderInvalid, IncomingMissing } from "../headers/HeaderError.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import { formatPlace, type PassthroughHeader, type ServerEntry } from "../server/ServerEntry.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"
import * as PassthroughRules from "./PassthroughRules.ts"

export const ID = "passthrough"
export const OVERRIDE_ID = "passthrough-override"

const makeSource = (empty: HeaderPatch.HeaderPatch, override: boolean) =>
  Effect.gen(function* () {
    const gate = yield* TrustGate
    // What is forwarded stands in the entry itself: an entry that changes is another one, and is asked about anew.
    const permitted = new WeakSet<ServerEntry>()

    const resolve = Effect.fnUntraced(function* (
      entry: ServerEntry,
      call: CallContext
    ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
      const fail = (reason: HeaderErrorReason) => new HeaderError({ server: entry.name, source: empty.source, reason })
      const listed = entry.passthrough.filter((header) => header.override === override)
      if (listed.length === 0) return empty
      const broken = PassthroughRules.defect(entry.passthrough)
      if (broken !== undefined) return yield* fail(broken)

      const set: Array<HeaderPatch.SetField> = []
      const omitted: Array<HeaderPatch.OmittedField> = []
      for (const header of listed) {
        const came = named(call.incoming, header.name)
        const [field] = came
        if (came.length > 1) return yield* fail(repeated(header, came.length))
        if (field !== undefined && !permitted.has(entry)) {
          yield* gate.require(entry)
          permitted.add(entry)
        }
        const value = field === undefined ? "" : Redacted.value(field.value)
        if (value !== "") {
          const made = HeaderPatch.forwardField(header.as, value, declaredBy(header), header.place)
          set.push(yield* Effect.fromResult(made).pipe(Effect.mapError(fail)))
        } else if (header.required) {
          return yield* fail(new IncomingMissing({ field: header.name, place: header.place }))
        } else {
          omitted.push({ name: header.as, declared: declaredBy(header), why: whyMissing(header, call, field) })
        }
      }
      return { ...empty, set, omitted }
    })

    return { id: empty.source, rank: empty.rank, lifetime: "call", resolve } satisfies HeaderSource
  })

/** Listed headers; the lowest rank. */
export const make: Effect.Effect<HeaderSource, never, TrustGate> = makeSource(
  HeaderPatch.empty(ID, Rank.passthrough),
  false
)

/** Listed headers whose entry says `override`; above helper, below hook. */
export const makeOverride: Effect.Effect<HeaderSource, never, TrustGate> = makeSource(
  { ...HeaderPatch.empty(OVERRIDE_ID, Rank.passthroughOverride), rankedFor: 'its entry says "override": true' },
  true
)

const declaredBy = (header: PassthroughHeader): string => `incoming ${header.name} · ${formatPlace(header.place)}`

const whyMissing = (header: PassthroughHeader, call: CallContext, field: IncomingHeader | undefined): string => {
  if (field !== undefined) return `the incoming ${header.name} is empty`
  return call.incoming === undefined
    ? `no incoming headers belong to the call, and ${header.name} is optional`
    : `no incoming ${header.name} came, and it is optional`
}

const repeated = (header: PassthroughHeader, times: number): HeaderInvalid =>
  new HeaderInvalid({
    field: header.name,
    rule: `came ${times} times (in any spelling, or joined by a comma), and nobody can tell which one counts`,
    place: header.place
  })
