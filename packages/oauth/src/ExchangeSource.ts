/**
 * The token of whoever calls the runtime, exchanged for one that the server takes (RFC 8693).
 *
 * The subject token is the Bearer token among the incoming headers of the call, which the runtime has to have captured
 * (`CallContext.fromRequest(["authorization"])`); a call without one is not sent. It goes to the token endpoint that the
 * entry names, and nowhere else. What is given for it is kept in memory, for calls with the same subject token alone.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { named } from "@letterhead/core/call/IncomingHeaders"
import {
  HeaderError,
  type HeaderErrorReason,
  HeaderInvalid,
  IncomingMissing
} from "@letterhead/core/headers/HeaderError"
import type * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { FlowTarget } from "./flow/OAuthFlow.ts"
import * as RepeatableToken from "./token/RepeatableToken.ts"
import * as TokenPatch from "./token/TokenPatch.ts"
import type { IssuedTokens } from "./token/TokenRecord.ts"

/** Exchanges one token for another. */
export type Exchange = (
  entry: ServerEntry,
  target: FlowTarget,
  subject: Redacted.Redacted
) => Effect.Effect<IssuedTokens, HeaderErrorReason>

interface Exchanged {
  readonly patch: HeaderPatch.HeaderPatch
  readonly expiresIn: number
}

const ID = TokenPatch.ID

export const make = Effect.fnUntraced(function* (options: {
  readonly exchange: Exchange
  /** What the entry says, evaluated; asks the trust gate. */
  readonly targetOf: (entry: ServerEntry, call: CallContext) => Effect.Effect<FlowTarget, HeaderError>
}) {
  const repeat = yield* RepeatableToken.make
  // By entry; in each by principal and subject token: what comes of one is not another's.
  const tokens = new WeakMap<ServerEntry, RecentlyUsed.RecentlyUsed<RepeatableToken.RepeatableToken<Exchanged>>>()

  const ask = Effect.fnUntraced(function* (
    entry: ServerEntry,
    { principal, subject }: Subject,
    generation: number
  ): Effect.fn.Return<Exchanged, HeaderError> {
    const target = yield* options.targetOf(entry, { principal })
    const issued = yield* Effect.mapError(options.exchange(entry, target, Redacted.make(subject)), failed(entry))
    const place = formatPlace(entry.oauth?.place ?? entry.place)
    const patch = yield* Effect.mapError(
      Effect.fromResult(TokenPatch.make(issued, { generation, had: "exchanged for the caller's token", place })),
      failed(entry)
    )
    return {
      patch,
      // One of unknown lifetime is good for the calls that wait for it.
      expiresIn: issued.expiresIn ?? 0
    }
  })

  const tokenOf = (entry: ServerEntry, caller: Subject): RepeatableToken.RepeatableToken<Exchanged> => {
    const ofEntry =
      tokens.get(entry) ??
      RecentlyUsed.make<RepeatableToken.RepeatableToken<Exchanged>>({ isIdle: (token) => !token.isPending() })
    tokens.set(entry, ofEntry)
    const key = `${caller.subject}\n${caller.principal}`
    const known = ofEntry.get(key)
    if (known !== undefined) return known
    const made = repeat((generation) => ask(entry, caller, generation))
    ofEntry.set(key, made)
    return made
  }

  return {
    resolve: Effect.fnUntraced(function* (
      entry: ServerEntry,
      call: CallContext
    ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
      return (yield* tokenOf(entry, yield* subjectOf(entry, call)).get).value.patch
    }),
    /** A refused token is exchanged anew, once: for the next call with the same subject token. */
    challenge: Effect.fnUntraced(function* (entry: ServerEntry, call: CallContext, sent: number | undefined) {
      return tokenOf(entry, yield* subjectOf(entry, call)).forget(sent)
    })
  }
})

/** Whose token it is, and the token, in which no line break can be. */
interface Subject {
  readonly principal: string
  readonly subject: string
}

const subjectOf = (entry: ServerEntry, call: CallContext): Effect.Effect<Subject, HeaderError> => {
  const place = entry.oauth?.place ?? entry.place
  const came = named(call.incoming, "authorization")
  const [field] = came
  if (field === undefined) return Effect.fail(failed(entry)(new IncomingMissing({ field: "authorization", place })))
  const subject = /^Bearer +([^\s,]+)$/i.exec(Redacted.value(field.value))?.[1]
  if (came.length > 1 || subject === undefined) {
    const rule = "of the caller has to be one Bearer token, to be exchanged"
    return Effect.fail(failed(entry)(new HeaderInvalid({ field: "authorization", rule, place })))
  }
  return Effect.succeed({ principal: call.principal, subject })
}

const failed = (entry: ServerEntry) => (reason: HeaderErrorReason) =>
  new HeaderError({ server: entry.name, source: ID, reason })
