/**
 * Node's terminal, made when the first question is asked.
 *
 * Making it opens standard input, with all that Node has for streams and lines; most runs ask nothing and read nothing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Terminal from "effect/Terminal"

export const layer: Layer.Layer<Terminal.Terminal> = Layer.effect(
  Terminal.Terminal,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const terminal = yield* Effect.promise(() => import("@effect/platform-node/NodeTerminal")).pipe(
      Effect.flatMap((node) => Layer.buildWithScope(node.layer, scope)),
      Effect.map((built) => Context.get(built, Terminal.Terminal)),
      Effect.uninterruptible,
      Effect.cached
    )
    return Terminal.make({
      columns: Effect.flatMap(terminal, ({ columns }) => columns),
      rows: Effect.flatMap(terminal, ({ rows }) => rows),
      size: Effect.flatMap(terminal, ({ size }) => size),
      readInput: Effect.flatMap(terminal, ({ readInput }) => readInput),
      readLine: Effect.flatMap(terminal, ({ readLine }) => readLine),
      display: (text) => Effect.flatMap(terminal, ({ display }) => display(text))
    })
  })
)
