/**
 * A header resolver without sources: a function says which headers a call carries.
 *
 * The layer also provides {@link MockHeaderResolver}, which tells for which calls it was asked. URLs are evaluated
 * without files and, unless the test provides an `Environment`, without variables.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { merge } from "@letterhead/core/headers/ResolvedHeaders"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as ServerUrl from "@letterhead/core/server/ServerUrl"
import { type ChallengeResponse, Rank } from "@letterhead/core/sources/HeaderSource"
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as MockTrustGate from "./MockTrustGate.ts"

/** The id of the one source in the provenance of what the mock resolves. */
export const SOURCE = "mock"

/** Something the mock was asked. */
export type ResolverCall =
  | { readonly _tag: "Open"; readonly server: string; readonly owner: CallContext }
  | { readonly _tag: "Resolve"; readonly server: string; readonly call: CallContext }
  | { readonly _tag: "Explain"; readonly server: string; readonly call: CallContext }
  | {
      readonly _tag: "Challenge"
      readonly server: string
      readonly call: CallContext
      readonly response: ChallengeResponse
    }
  | { readonly _tag: "Reconnect"; readonly server: string }
  | { readonly _tag: "SignIn"; readonly server: string; readonly owner: CallContext }

/** What the mock was asked. */
export class MockHeaderResolver extends Context.Service<
  MockHeaderResolver,
  {
    /** Everything, in order. */
    readonly calls: Effect.Effect<ReadonlyArray<ResolverCall>>
  }
>()("@letterhead/testing/mocks/MockHeaderResolver") {}

/** The same fields for every call, or a function of the call. */
export type MockHeaders =
  | Readonly<Record<string, string>>
  | ((call: CallContext, entry: ServerEntry) => Readonly<Record<string, string>>)

export interface MockHeaderResolverOptions {
  /** What a refusal leads to. Default `give up`. */
  readonly challenge?: "retry" | "give up"
  /** Whether there is a source that signs in. Default: there is none. */
  readonly signsIn?: boolean
}

/** Every call carries `headers`. */
export const layer = (
  headers: MockHeaders,
  options: MockHeaderResolverOptions = {}
): Layer.Layer<HeaderResolver | MockHeaderResolver> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const services = yield* Effect.context<FileSystem.FileSystem | Path.Path | TrustGate>()
      const calls: Array<ResolverCall> = []
      const note = (call: ResolverCall) => Effect.sync(() => void calls.push(call))

      const resolver = HeaderResolver.of({
        open: Effect.fnUntraced(function* (entry, owner) {
          const server = entry.name
          yield* note({ _tag: "Open", server, owner })
          const url = yield* Effect.provide(ServerUrl.evaluate(entry), services)
          return {
            url,
            resolve: (call) => Effect.andThen(note({ _tag: "Resolve", server, call }), resolved(entry, headers, call)),
            challenge: (call, _sent, response) =>
              Effect.as(note({ _tag: "Challenge", server, call, response }), options.challenge ?? "give up"),
            refusedAgain: () => Effect.void,
            reconnect: note({ _tag: "Reconnect", server }),
            signIn: (owner) => Effect.as(note({ _tag: "SignIn", server, owner }), options.signsIn ?? false)
          }
        }),
        explain: (entry, call) =>
          note({ _tag: "Explain", server: entry.name, call }).pipe(
            Effect.andThen(resolved(entry, headers, call)),
            Effect.map(({ provenance }) => provenance)
          )
      })
      return Context.make(HeaderResolver, resolver).pipe(
        Context.add(MockHeaderResolver, { calls: Effect.sync(() => [...calls]) })
      )
    })
  ).pipe(Layer.provide([FileSystem.layerNoop({}), Path.layer, MockTrustGate.layerPermitAll]))

const resolved = (entry: ServerEntry, headers: MockHeaders, call: CallContext) => {
  const fields = typeof headers === "function" ? headers(call, entry) : headers
  return Result.all(
    Object.entries(fields).map(([name, value]) => HeaderPatch.setField(name, value, "mock resolver", entry.place))
  ).pipe(
    Result.flatMap((set) => merge([{ ...HeaderPatch.empty(SOURCE, Rank.static), set }])),
    Result.mapError((reason) => new HeaderError({ server: entry.name, source: SOURCE, reason })),
    Effect.fromResult
  )
}
