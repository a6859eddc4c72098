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
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
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

/** What is to be done about an entry's list. */
interface Listed {
  readonly headers: ReadonlyArray<PassthroughHeader>
  /** The rule that the list breaks, if it breaks one. */
  readonly defect: HeaderErrorReason | undefined
  /**
   * Whether the trust gate lets it pass. What is forwarded stands in the entry itself: an entry that changes is another
   * one, and is asked about anew.
   */
  permitted: boolean
}

type Answer = Exit.Exit<HeaderPatch.HeaderPatch, HeaderError>

const makeSource = (empty: HeaderPatch.HeaderPatch, override: boolean) =>
  Effect.gen(function* () {
    const gate = yield* TrustGate
    const nothing: Answer = Exit.succeed(empty)
    const known = new WeakMap<ServerEntry, Listed>()

    const listedOf = (entry: ServerEntry): Listed => {
      const earlier = known.get(entry)
      if (earlier !== undefined) return earlier
      const listed = {
        headers: entry.passthrough.filter((header) => header.override === override),
        defect: PassthroughRules.defect(entry.passthrough),
        permitted: false
      }
      known.set(entry, listed)
      return listed
    }

    /** What passes; `undefined` where the gate has to be asked before more is done. */
    const patchOf = (entry: ServerEntry, listed: Listed, call: CallContext): Answer | undefined => {
      const fail = (reason: HeaderErrorReason) =>
        Exit.fail(new HeaderError({ server: entry.name, source: empty.source, reason }))
      if (listed.headers.length === 0) return nothing
      if (listed.defect !== undefined) return fail(listed.defect)

      const set: Array<HeaderPatch.SetField> = []
      const omitted: Array<HeaderPatch.OmittedField> = []
      for (const header of listed.headers) {
        const came = named(call.incoming, header.name)
        const [field] = came
        if (came.length > 1) return fail(repeated(header, came.length))
        if (field !== undefined && !listed.permitted) return undefined
        const value = field === undefined ? "" : Redacted.value(field.value)
        if (value !== "") {
          const made = HeaderPatch.forwardField(header.as, value, () => declaredBy(header), header.place)
          if (Result.isFailure(made)) return fail(made.failure)
          set.push(made.success)
        } else if (header.required) {
          return fail(new IncomingMissing({ field: header.name, place: header.place }))
        } else {
          omitted.push({ name: header.as, declared: declaredBy(header), why: whyMissing(header, call, field) })
        }
      }
      return Exit.succeed({ ...empty, set, omitted })
    }

    const afterGate = Effect.fnUntraced(function* (entry: ServerEntry, listed: Listed, call: CallContext) {
      yield* gate.require(entry)
      listed.permitted = true
      return yield* patchOf(entry, listed, call) ?? nothing
    })

    return {
      id: empty.source,
      rank: empty.rank,
      lifetime: "call",
      applies: (entry) => listedOf(entry).headers.length > 0,
      resolve: (entry, call) => {
        const listed = listedOf(entry)
        return patchOf(entry, listed, call) ?? afterGate(entry, listed, call)
      }
    } satisfies HeaderSource
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
