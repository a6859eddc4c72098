/** The list of sources, and sources that say what a test tells them to. */
import { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

/** Exactly these sources. */
export const layer = (sources: ReadonlyArray<HeaderSource>): Layer.Layer<HeaderSources> =>
  Layer.succeed(HeaderSources, sources)

export interface MockSourceOptions {
  readonly id: string
  /** Default: that of the static source. */
  readonly rank?: number
  /** Default `call`. */
  readonly lifetime?: HeaderSource["lifetime"]
  /** The fields for a call, checked as those of any source. */
  readonly headers: (call: CallContext, entry: ServerEntry) => Readonly<Record<string, string>>
  /** Whether a refused answer is worth asking again. Default: the source takes no challenges. */
  readonly renews?: boolean
}

/** A source whose fields come from a function; its answer is there at once. */
export const source = (options: MockSourceOptions): HeaderSource => {
  const rank = options.rank ?? Rank.static
  const declared = `mock source ${options.id}`
  const renews = options.renews
  return {
    id: options.id,
    rank,
    lifetime: options.lifetime ?? "call",
    resolve: (entry, call) =>
      Result.all(
        Object.entries(options.headers(call, entry)).map(([name, value]) =>
          HeaderPatch.setField(name, value, declared, entry.place)
        )
      ).pipe(
        Result.map((set) => ({ ...HeaderPatch.empty(options.id, rank), set })),
        Result.mapError((reason) => new HeaderError({ server: entry.name, source: options.id, reason })),
        Effect.fromResult
      ),
    ...(renews === undefined ? {} : { challenge: () => Effect.succeed(renews) })
  }
}
