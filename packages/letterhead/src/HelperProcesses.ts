/** The helper scheduler over Node's child processes; nothing of a helper is held open once it is done. */
import * as NodeChildProcessSpawner from "@effect/platform-node/NodeChildProcessSpawner"
import * as HelperScheduler from "@letterhead/core/helper/HelperScheduler"
import * as Layer from "effect/Layer"
import * as ChildProcesses from "./ChildProcesses.ts"

export const layer = HelperScheduler.layer.pipe(
  Layer.provide(ChildProcesses.layer),
  Layer.provide(NodeChildProcessSpawner.layer)
)
