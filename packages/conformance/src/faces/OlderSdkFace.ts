/** The official SDK's older client, `@modelcontextprotocol/sdk` 1, on Letterhead's transport. */
import { call, McpTransport } from "@letterhead/mcp/McpTransport"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as Effect from "effect/Effect"
import type { Face } from "../Face.ts"
import { SERVER } from "../HeaderTally.ts"

export const open = Effect.gen(function* () {
  const { transport } = yield* McpTransport
  const client = new Client(
    { name: "letterhead-sdk-1", version: "1.0.0" },
    { capabilities: { elicitation: { form: { applyDefaults: true } } } }
  )
  // Accepts what it is asked, with the defaults that the SDK fills in.
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {} }))
  const opened = yield* transport(SERVER)
  yield* Effect.acquireRelease(
    Effect.tryPromise(() => client.connect(opened)),
    () => Effect.promise(() => client.close())
  )
  const tools = Effect.map(
    call((options) => client.listTools(undefined, options)),
    ({ tools }) =>
      tools.map(({ name, inputSchema }) => ({
        name,
        inputSchema,
        call: (args: Readonly<Record<string, unknown>>) =>
          call((options) => client.callTool({ name, arguments: { ...args } }, undefined, options))
      }))
  )
  // No scenario of its revision offers prompts or resources.
  const face: Face = { tools, prompts: Effect.succeed([]), resources: Effect.succeed([]) }
  return face
})
