/**
 * What the requests of all connections are written with.
 *
 * Default: an undici Agent of the transport's own, made at the first connection and destroyed with the layer, so that
 * no idle socket keeps a program alive. A runtime that has a proxy or a pool provides its dispatcher, and keeps it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Dispatcher } from "undici"

/** Default: `undefined`, an Agent of the transport's own. */
export const HttpDispatcher: Context.Reference<Dispatcher | undefined> = Context.Reference<Dispatcher | undefined>(
  "@letterhead/mcp/HttpDispatcher",
  { defaultValue: () => undefined }
)

/** The dispatcher that was provided, or an Agent that lives as long as the scope. */
export const acquire: Effect.Effect<Dispatcher, never, Scope.Scope> = Effect.gen(function* () {
  const provided = yield* HttpDispatcher
  if (provided !== undefined) return provided
  // Loaded here because a program that only explains headers never sends a request.
  const { Agent } = yield* Effect.promise(() => import("undici"))
  return yield* Effect.acquireRelease(
    // A stream may be silent, and a call may take as long as its caller allows: the calls have the timeouts.
    Effect.sync(() => new Agent({ headersTimeout: 0, bodyTimeout: 0 })),
    (agent) => Effect.promise(() => agent.destroy())
  )
})
