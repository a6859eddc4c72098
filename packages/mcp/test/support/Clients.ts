/** The clients that a runtime may have, over a transport of `McpTransport`: those of both official SDKs. */
import { Client } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { McpError } from "@letterhead/mcp/McpError"
import type { CallRequestOptions, ClientTransport, McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** As much of a client as the tests use. */
export interface RuntimeClient {
  readonly callTool: (
    name: string,
    args: Readonly<Record<string, unknown>>,
    options?: CallRequestOptions
  ) => Promise<ReadonlyArray<string>>
  readonly listTools: (options?: CallRequestOptions) => Promise<ReadonlyArray<string>>
  readonly close: () => Promise<void>
  /** What the server said or asked, in order. */
  readonly heard: Array<string>
  /** What the client was told of besides the errors of its requests. */
  readonly errors: Array<Error>
}

export type ClientKind = "SDK 1" | "SDK 2"

/** Each client in each era that it speaks, with each kind of response. */
export const cases = [
  { client: "SDK 1", era: "legacy" },
  { client: "SDK 2", era: "legacy" },
  { client: "SDK 2", era: "modern" }
].flatMap(({ client, era }) =>
  (["json", "sse"] as const).map((responses) => ({ client: kindOf(client), era: eraOf(era), responses }))
)

function kindOf(text: string): ClientKind {
  return text === "SDK 1" ? "SDK 1" : "SDK 2"
}

function eraOf(text: string): "legacy" | "modern" {
  return text === "legacy" ? "legacy" : "modern"
}

const INFO = { name: "runtime", version: "1.0.0" }
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } }
const SAMPLE = { role: "assistant", content: { type: "text", text: "a sample" }, model: "model" } as const
const ROOTS = { roots: [{ uri: "file:///root" }] }
const REPLY = { action: "accept", content: { answer: "yes" } } as const

/** A client of a transport that `McpTransport` opened for `owner`. */
export const connect = Effect.fnUntraced(function* (
  kind: ClientKind,
  service: McpTransport["Service"],
  owner: CallContext
): Effect.fn.Return<RuntimeClient, McpError, Scope.Scope> {
  const transport = yield* service.transport("example", owner)
  return yield* Effect.promise(() => (kind === "SDK 1" ? ofOlderSdk(transport) : ofSdk(transport)))
})

const ofSdk = async (transport: ClientTransport): Promise<RuntimeClient> => {
  const heard: Array<string> = []
  const errors: Array<Error> = []
  const client = new Client(INFO, {
    capabilities: CAPABILITIES,
    versionNegotiation: { mode: "auto" },
    listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => void heard.push("tools changed") } }
  })
  client.setRequestHandler("sampling/createMessage", () => (heard.push("sampling"), SAMPLE))
  client.setRequestHandler("elicitation/create", () => (heard.push("elicitation"), REPLY))
  client.setRequestHandler("roots/list", () => (heard.push("roots"), ROOTS))
  client.setNotificationHandler("notifications/message", ({ params }) => void heard.push(`log ${String(params.data)}`))
  Object.assign(client, { onerror: (error: Error) => void errors.push(error) })
  await client.connect(transport)
  return {
    heard,
    errors,
    callTool: async (name, args, options) => {
      const { content } = await client.callTool({ name, arguments: { ...args } }, options)
      return content.flatMap((block) => (block.type === "text" ? [block.text] : []))
    },
    listTools: async (options) => (await client.listTools(undefined, options)).tools.map(({ name }) => name),
    close: () => client.close()
  }
}

const ofOlderSdk = async (transport: ClientTransport): Promise<RuntimeClient> => {
  const heard: Array<string> = []
  const errors: Array<Error> = []
  const client = new OlderClient(INFO, { capabilities: CAPABILITIES })
  client.setRequestHandler(CreateMessageRequestSchema, () => (heard.push("sampling"), SAMPLE))
  client.setRequestHandler(ElicitRequestSchema, () => (heard.push("elicitation"), REPLY))
  client.setRequestHandler(ListRootsRequestSchema, () => (heard.push("roots"), ROOTS))
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    heard.push(`log ${String(params.data)}`)
  })
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push("tools changed"))
  Object.assign(client, { onerror: (error: Error) => void errors.push(error) })
  await client.connect(transport)
  return {
    heard,
    errors,
    callTool: async (name, args, options) => {
      const { content } = await client.callTool({ name, arguments: { ...args } }, undefined, options)
      return Array.isArray(content) ? content.map(({ text }) => String(text)) : []
    },
    listTools: async (options) => (await client.listTools(undefined, options)).tools.map(({ name }) => name),
    close: () => client.close()
  }
}
