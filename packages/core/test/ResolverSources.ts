/** Sources of a test, and connections that ask them. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export const patch = (
  source: string,
  rank: number,
  fields: Readonly<Record<string, string>>
): HeaderPatch.HeaderPatch => ({
  ...HeaderPatch.empty(source, rank),
  set: Object.entries(fields).map(([name, value]) =>
    Result.getOrThrow(HeaderPatch.setField(name, value, `${source}.json`))
  )
})

/** A credential that changes with every run. */
export const rotating = (options: { readonly delay?: number; readonly lifetime?: number } = {}) => {
  let runs = 0
  const source: HeaderSource = {
    id: "helper",
    rank: Rank.helper,
    lifetime: "connection",
    resolve: () =>
      Effect.gen(function* () {
        if (options.delay !== undefined) yield* Effect.sleep(options.delay)
        const fields = patch("helper", Rank.helper, { Authorization: `Bearer ${++runs}` })
        if (options.lifetime === undefined) return fields
        return { ...fields, expiresAt: (yield* Clock.currentTimeMillis) + options.lifetime }
      }),
    challenge: () => Effect.succeed(true)
  }
  return { source, runs: () => runs }
}

export const withSources = (...sources: ReadonlyArray<HeaderSource>) =>
  HeaderResolver.layer.pipe(
    Layer.provide(Layer.succeed(HeaderSources, sources)),
    Layer.provide(Layer.succeed(TrustGate, { require: () => Effect.succeed({ passEnv: [], verify: Effect.void }) })),
    Layer.provide(NodeServices.layer)
  )

export const open = (principal = "ada", server = entry()) =>
  Effect.flatMap(HeaderResolver.HeaderResolver, (resolver) => resolver.open(server, { principal }))

export const authorization = (headers: ResolvedHeaders) => {
  const value = headers.get("authorization")?.value
  return value === undefined ? undefined : Redacted.value(value)
}

export const UNAUTHORIZED = { status: 401 }
