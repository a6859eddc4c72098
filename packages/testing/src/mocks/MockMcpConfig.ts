/** McpConfig over entries that a test made itself, such as those of `EntryFixture`. */
import * as McpConfig from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Layer from "effect/Layer"

/** What else a configuration may have found. */
export type MockMcpConfigOptions = Omit<Parameters<typeof McpConfig.make>[0], "servers">

export const layer = (
  servers: ReadonlyArray<ServerEntry>,
  options: MockMcpConfigOptions = {}
): Layer.Layer<McpConfig.McpConfig> => Layer.succeed(McpConfig.McpConfig, McpConfig.make({ ...options, servers }))
