/**
 * The token of whoever calls the runtime, exchanged for one that the server takes (RFC 8693).
 *
 * The subject token is the Bearer token among the incoming headers of the call, which the runtime has to have captured
 * (`CallContext.fromRequest(["authorization"])`); a call without one is not sent. It goes to the token endpoint that the
 * entry names, and nowhere else. What is given for it is kept in memory, for calls with the same subject token alone,
 * until it is due or refused; calls that need the same one at the same time share one exchange.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { named } from "@letterhead/core/call/IncomingHeaders"
import {
  HeaderError,
  type HeaderErrorReason,
  HeaderInvalid,
  IncomingMissing
} from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import * as Cache from "effect/Cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type { FlowTarget } from "./flow/OAuthFlow.ts"
import { type IssuedTokens, RENEWAL_MARGIN, RENEWAL_MARGIN_PART } from "./token/TokenRecord.ts"

/** Exchanged tokens that are kept at most; the oldest goes first. */
export const CAPACITY = 1_000

/** Exchanges one token for another. */
export type Exchange = (
  entry: ServerEntry,
  target: FlowTarget,
  subject: Redacted.Redacted
) => Effect.Effect<IssuedTokens, HeaderErrorReason>

interface Exchanged {
  readonly patch: HeaderPatch.HeaderPatch
  /** Milliseconds. */
  readonly life: number
}

const ID = "oauth"

export const make = (options: {
  readonly exchange: Exchange
  /** What the entry says, evaluated; asks the trust gate. */
  readonly targetOf: (entry: ServerEntry, call: CallContext) => Effect.Effect<FlowTarget, HeaderError>
}) => {
  // By entry; in each by principal and subject token: what comes of one is not another's.
  const caches = new WeakMap<ServerEntry, Cache.Cache<string, Exchanged, HeaderError>>()
  let generation = 0

  const lookUp = Effect.fnUntraced(function* (
    entry: ServerEntry,
    call: CallContext,
    subject: string
  ): Effect.fn.Return<Exchanged, HeaderError> {
    const target = yield* options.targetOf(entry, call)
    const issued = yield* Effect.mapError(options.exchange(entry, target, Redacted.make(subject)), failed(entry))
    const declared = `exchanged for the caller's token · ${formatPlace(entry.oauth?.place ?? entry.place)}`
    const value = `${issued.tokenType} ${Redacted.value(issued.accessToken)}`
    const field = yield* Effect.mapError(
      Effect.fromResult(HeaderPatch.setField("Authorization", value, declared)),
      failed(entry)
    )
    generation += 1
    // One of unknown lifetime is good for the calls that wait for it.
    const life = (issued.expiresIn ?? 0) * 1_000
    return {
      patch: { ...HeaderPatch.empty(ID, Rank.oauth), generation, set: [field] },
      life: life - Math.min(RENEWAL_MARGIN, life * RENEWAL_MARGIN_PART)
    }
  })

  const cacheOf = (entry: ServerEntry) =>
    Effect.suspend(() => {
      const known = caches.get(entry)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(
        Cache.makeWith(
          (key: string) => {
            const end = key.indexOf("\n")
            return lookUp(entry, { principal: key.slice(end + 1) }, key.slice(0, end))
          },
          {
            capacity: CAPACITY,
            timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.millis(exit.value.life) : Duration.zero)
          }
        ),
        (made) => {
          const cache = caches.get(entry) ?? made
          caches.set(entry, cache)
          return cache
        }
      )
    })

  return {
    resolve: Effect.fnUntraced(function* (
      entry: ServerEntry,
      call: CallContext
    ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
      const key = yield* keyOf(entry, call)
      return (yield* Cache.get(yield* cacheOf(entry), key)).patch
    }),
    /** A refused token is exchanged anew, once: for the next call with the same subject token. */
    challenge: Effect.fnUntraced(function* (entry: ServerEntry, call: CallContext, sent: number | undefined) {
      const key = yield* keyOf(entry, call)
      yield* Cache.invalidateWhen(yield* cacheOf(entry), key, ({ patch }) => patch.generation === sent)
      return true
    })
  }
}

/** The subject token, in which no line break can be, and the principal. */
const keyOf = (entry: ServerEntry, call: CallContext): Effect.Effect<string, HeaderError> => {
  const place = entry.oauth?.place ?? entry.place
  const came = named(call.incoming, "authorization")
  const [field] = came
  if (field === undefined) return Effect.fail(failed(entry)(new IncomingMissing({ field: "authorization", place })))
  const subject = /^Bearer +([^\s,]+)$/i.exec(Redacted.value(field.value))?.[1]
  if (came.length > 1 || subject === undefined) {
    const rule = "of the caller has to be one Bearer token, to be exchanged"
    return Effect.fail(failed(entry)(new HeaderInvalid({ field: "authorization", rule, place })))
  }
  return Effect.succeed(`${subject}\n${call.principal}`)
}

const failed = (entry: ServerEntry) => (reason: HeaderErrorReason) =>
  new HeaderError({ server: entry.name, source: ID, reason })
