/** Effect's own client, `effect/ai` McpClient, on Letterhead's HTTP client. */
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { Face, Revision } from "../Face.ts"
import { SERVER } from "../HeaderTally.ts"

export const open = Effect.fnUntraced(function* (revision: Revision, url: string) {
  const { httpClient } = yield* McpTransport
  const protocol = revision === "2025-11-25" ? McpProtocol.v2025_11_25 : McpProtocol.v2026_07_28
  const carrier = yield* McpClient.http({ url, protocol }).pipe(
    Effect.provideServiceEffect(HttpClient.HttpClient, httpClient(SERVER))
  )
  const client = yield* McpClient.make({ name: "letterhead-effect", version: "1.0.0" }).pipe(
    Effect.provideService(McpClient.Transport, carrier)
  )
  return {
    tools: Effect.map(client.listTools(), (tools) =>
      tools.map((tool) => ({
        name: tool.name,
        inputSchema: tool.inputSchema,
        call: (args) => client.callTool({ tool, arguments: { ...args } })
      }))
    ),
    prompts: Effect.map(client.listPrompts(), (prompts) => prompts.map((prompt) => client.getPrompt({ prompt }))),
    resources: Effect.map(client.listResources(), (resources) =>
      resources.map(({ uri }) => client.readResource({ uri }))
    )
  } satisfies Face
})
