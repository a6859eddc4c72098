/** The programs of stdio servers over Node's child processes; nothing of one is held open once it is done. */
import * as NodeChildProcessSpawner from "@effect/platform-node/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as StdioProcesses from "@letterhead/mcp/stdio/StdioProcesses"
import * as Layer from "effect/Layer"
import * as ChildProcesses from "./ChildProcesses.ts"

export const layer = StdioProcesses.layer.pipe(
  Layer.provide(ChildProcesses.layer),
  Layer.provide(NodeChildProcessSpawner.layer),
  Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
)
