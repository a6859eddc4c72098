/**
 * Node's child processes, with the promise that nothing of one is held open once its scope is closed.
 *
 * `NodeChildProcessSpawner` stops reading when the scope closes, and leaves the pipes themselves open until their last
 * writer is gone. Where a helper left a process behind that made a session of its own, which no signal to the group
 * reaches, that is as long as the stranger lives: a descriptor is lost each time, and Node does not exit. Here our ends
 * of the pipes are destroyed before the group is killed.
 *
 * The spawner does not hand out Node's own object for a process, so it is found by its id among those that Node
 * announces on the diagnostics channel `child_process`.
 */
import { ChildProcess } from "node:child_process"
import * as diagnostics from "node:diagnostics_channel"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ChildProcessSpawner, make } from "effect/process/ChildProcessSpawner"

const CHANNEL = "child_process"

/**
 * The processes of this program that run and belong to no scope of ours yet. One set and one listener for all layers:
 * with one of each layer's own, Node would warn of a leak at every process of a program that has many.
 */
const announced = new Set<ChildProcess>()
/** Layers that look into it. */
let layers = 0

const note = (message: unknown): void => {
  const child = processOf(message)
  if (child === undefined) return
  announced.add(child)
  child.once("close", () => announced.delete(child))
  // One that could not be started never closes. (An "error" listener here would hide the error from its owner.)
  queueMicrotask(() => child.pid === undefined && announced.delete(child))
}

/** Processes are noted as long as the scope of one who looks. */
const noting = Effect.acquireRelease(
  Effect.sync(() => {
    if (layers === 0) diagnostics.subscribe(CHANNEL, note)
    layers += 1
  }),
  () =>
    Effect.sync(() => {
      layers -= 1
      if (layers > 0) return
      diagnostics.unsubscribe(CHANNEL, note)
      announced.clear()
    })
)

/** The spawner it is built on, with closing pipes. */
export const layer: Layer.Layer<ChildProcessSpawner, never, ChildProcessSpawner> = Layer.effect(
  ChildProcessSpawner,
  Effect.gen(function* () {
    const spawner = yield* ChildProcessSpawner
    yield* noting
    return make((command) =>
      Effect.tap(spawner.spawn(command), (handle) => {
        const child = [...announced].find((candidate) => candidate.pid === handle.pid)
        if (child === undefined) return Effect.void
        announced.delete(child)
        return Effect.addFinalizer(() => Effect.sync(() => close(child)))
      })
    )
  })
)

const close = (child: ChildProcess): void => {
  for (const stream of child.stdio) stream?.destroy()
}

/** It has neither id nor pipes yet when it is announced. */
const processOf = (message: unknown): ChildProcess | undefined => {
  const child = typeof message === "object" && message !== null && "process" in message ? message.process : undefined
  return child instanceof ChildProcess ? child : undefined
}
