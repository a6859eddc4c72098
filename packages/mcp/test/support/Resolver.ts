/**
 * A resolver for tests: the header `x-session` says whose call it is, `authorization` carries the current token, and a
 * refusal is answered as the real one does: one renewal for all who hold the same generation.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { merge, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"

export interface ResolverOptions {
  /** The token of a generation, from 1. Default: none is sent. */
  readonly token?: (generation: number, principal: string) => string
  /** Before a renewal is answered. */
  readonly beforeRenewal?: Effect.Effect<void>
  /** Instead of renewing. */
  readonly challenge?: "give up" | HeaderError
  /** Before a call is answered. */
  readonly beforeResolve?: (call: CallContext) => Effect.Effect<void, HeaderError>
  /** Further fields. */
  readonly fields?: Readonly<Record<string, string>>
  /** Default: the entry's own, as text. */
  readonly url?: string
  /** What signing in does. Default: no source can. */
  readonly signIn?: (owner: CallContext) => Effect.Effect<void, HeaderError>
}

export interface ResolverState {
  /** Contexts that headers were resolved for, in order. */
  readonly resolved: Array<CallContext>
  /** Refusals that it was asked about: the status and the generation that was sent. */
  readonly challenges: Array<{ readonly status: number; readonly generation: number }>
  renewals: number
  reconnects: number
  opened: number
  closed: number
}

/** What a request of no call says in `x-session`. */
export const ownerMark = (principal: string): string => `connection of ${principal}`

export const make = (options: ResolverOptions = {}) => {
  const state: ResolverState = { resolved: [], challenges: [], renewals: 0, reconnects: 0, opened: 0, closed: 0 }
  const open = Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext) {
    let generation = 1
    yield* Effect.acquireRelease(
      Effect.sync(() => void state.opened++),
      () => Effect.sync(() => void state.closed++)
    )
    const oneAtATime = yield* Semaphore.make(1)
    const renewal = (sentGeneration: number) =>
      Semaphore.withPermit(
        oneAtATime,
        Effect.gen(function* () {
          if (sentGeneration !== generation) return
          yield* options.beforeRenewal ?? Effect.void
          generation += 1
          state.renewals += 1
        })
      )
    return {
      url: new URL(options.url ?? (entry.endpoint.type === "http" ? entry.endpoint.url.source : "")),
      resolve: (call: CallContext) =>
        Effect.andThen(
          options.beforeResolve?.(call) ?? Effect.void,
          Effect.sync(() => {
            state.resolved.push(call)
            const mark = call.method === undefined ? ownerMark(call.principal) : (call.sessionId ?? "no session")
            const fields: Record<string, string> = {
              "x-session": mark,
              "x-principal": call.principal,
              ...options.fields
            }
            const token = options.token?.(generation, owner.principal)
            if (token !== undefined) fields["authorization"] = `Bearer ${token}`
            return resolvedOf(fields, generation)
          })
        ),
      challenge: (_call: CallContext, sent: ResolvedHeaders, response: { readonly status: number }) =>
        Effect.gen(function* () {
          const sentGeneration = sent.generations.get("helper") ?? 0
          state.challenges.push({ status: response.status, generation: sentGeneration })
          if (options.challenge === "give up") return "give up" as const
          if (options.challenge !== undefined) return yield* options.challenge
          yield* renewal(sentGeneration)
          return "retry" as const
        }),
      refusedAgain: () => Effect.void,
      reconnect: Effect.sync(() => void state.reconnects++),
      signIn: (signer: CallContext) =>
        options.signIn === undefined ? Effect.succeed(false) : Effect.as(options.signIn(signer), true)
    }
  })
  const layer = Layer.succeed(HeaderResolver, { open, explain: () => Effect.succeed([]) })
  return { state, layer }
}

/** Fields as if a helper had supplied them; names that no source may set are taken too. */
export const resolvedOf = (fields: Readonly<Record<string, string>>, generation = 1): ResolvedHeaders =>
  Result.getOrThrow(
    merge([
      {
        ...HeaderPatch.empty("helper", Rank.helper),
        generation,
        set: Object.entries(fields).map(([name, value]) => ({
          name,
          value: Redacted.make(value),
          declared: "node ./headers.js"
        }))
      }
    ])
  )
