/** Letterhead's own connection, `McpTransport.connect`. */
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import type { Face } from "../Face.ts"
import { SERVER } from "../HeaderTally.ts"

export const open = Effect.gen(function* () {
  const connection = yield* (yield* McpTransport).connect(SERVER)
  return {
    tools: Effect.map(connection.listTools, (tools) =>
      tools.map(({ name, inputSchema }) => ({ name, inputSchema, call: (args) => connection.callTool(name, args) }))
    ),
    prompts: Effect.map(connection.listPrompts, (prompts) => prompts.map(({ name }) => connection.getPrompt(name))),
    resources: Effect.map(connection.listResources, (resources) =>
      resources.map(({ uri }) => connection.readResource(uri))
    )
  } satisfies Face
})
