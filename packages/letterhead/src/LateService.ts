/**
 * A service that is loaded and built when it is first asked for, and lives as long as the layer that offers it.
 *
 * A short command is mostly loading: what a run does not need costs it nothing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** What gives the service, loading it once; `load` gives the layer. An interruption of who asks does not end the loading. */
export const make = Effect.fnUntraced(function* <I, S, R>(
  service: Context.Key<I, S>,
  load: Effect.Effect<Layer.Layer<I, never, R>>
): Effect.fn.Return<Effect.Effect<S>, never, R | Scope.Scope> {
  const scope = yield* Effect.scope
  const requirements = yield* Effect.context<R>()
  return yield* load.pipe(
    Effect.flatMap((layer) => Layer.buildWithScope(layer, scope)),
    Effect.map((built) => Context.get(built, service)),
    Effect.provideContext(requirements),
    Effect.uninterruptible,
    Effect.cached
  )
})
