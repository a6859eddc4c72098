/** The official SDK's client, `@modelcontextprotocol/client` 2, on Letterhead's transport. */
import { call, McpTransport } from "@letterhead/mcp/McpTransport"
import { Client } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type { Face } from "../Face.ts"
import { SERVER } from "../HeaderTally.ts"

export const open = Effect.gen(function* () {
  const { transport } = yield* McpTransport
  const client = new Client(
    { name: "letterhead-sdk-2", version: "1.0.0" },
    {
      versionNegotiation: { mode: "auto" },
      capabilities: { elicitation: { form: { applyDefaults: true } } }
    }
  )
  // Accepts what it is asked, with the defaults that the SDK fills in.
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }))
  const opened = yield* transport(SERVER)
  yield* Effect.acquireRelease(
    Effect.tryPromise(() => client.connect(opened)),
    () => Effect.promise(() => client.close())
  )

  const offered = client.getServerCapabilities()
  const tools = Effect.map(
    call((options) => client.listTools(undefined, options)),
    ({ tools }) =>
      tools.map((tool) => ({
        name: tool.name,
        inputSchema: tool.inputSchema,
        call: (args: Readonly<Record<string, unknown>>) =>
          call((options) => client.callTool({ name: tool.name, arguments: { ...args } }, options))
      }))
  )
  const prompts = Effect.map(
    call((options) => client.listPrompts(undefined, options)),
    ({ prompts }) => prompts.map(({ name }) => call((options) => client.getPrompt({ name }, options)))
  )
  const resources = Effect.map(
    call((options) => client.listResources(undefined, options)),
    ({ resources }) => resources.map(({ uri }) => call((options) => client.readResource({ uri }, options)))
  )
  const face: Face = {
    tools: offered?.tools === undefined ? NOTHING : tools,
    prompts: offered?.prompts === undefined ? NOTHING : prompts,
    resources: offered?.resources === undefined ? NOTHING : resources
  }
  return face
})

const NOTHING = Effect.succeed([])
