/**
 * What a mock server answers to the JSON-RPC messages of a client that is the runtime's own.
 *
 * It speaks the era of its server as far as its record of functions goes: the handshake, tools, prompts, resources and
 * `ping`. It asks nothing of the client and says nothing by itself.
 */
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import { McpError, ProtocolFailed } from "@letterhead/mcp/McpError"
import * as Effect from "effect/Effect"

/** A JSON-RPC request, as far as it is read. */
export interface Request {
  readonly id: string | number
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>> | undefined
}

export type Answer =
  | { readonly jsonrpc: "2.0"; readonly id: string | number; readonly result: Record<string, unknown> }
  | {
      readonly jsonrpc: "2.0"
      readonly id: string | number
      readonly error: { readonly code: number; readonly message: string }
    }

/** The answer of the server that `connection` leads to. */
export const answer = (connection: McpConnection, request: Request): Effect.Effect<Answer> =>
  resultOf(connection, request).pipe(
    Effect.map((result) => ({
      jsonrpc: "2.0" as const,
      id: request.id,
      result: connection.era === "modern" ? { resultType: "complete", ...result } : { ...result }
    })),
    Effect.catch(({ reason }) => {
      const code = reason._tag === "ProtocolFailed" ? (reason.code ?? INTERNAL_ERROR) : INTERNAL_ERROR
      const message = reason._tag === "ProtocolFailed" ? reason.description : reason.message
      return Effect.succeed({ jsonrpc: "2.0" as const, id: request.id, error: { code, message } })
    })
  )

/** The request in a value, where it is one. */
export const read = (message: unknown): Request | undefined => {
  if (!isRecord(message)) return undefined
  const { id, method, params } = message
  if ((typeof id !== "string" && typeof id !== "number") || typeof method !== "string") return undefined
  return { id, method, params: isRecord(params) ? params : undefined }
}

const INTERNAL_ERROR = -32_603
const METHOD_NOT_FOUND = -32_601

const CAPABILITIES = { tools: {}, prompts: {}, resources: {} }

type Result = Readonly<Record<string, unknown>>

const resultOf = (connection: McpConnection, { method, params }: Request): Effect.Effect<Result, McpError> => {
  const name = text(params?.["name"])
  const args = isRecord(params?.["arguments"]) ? params["arguments"] : {}
  switch (connection.era === "modern" && method === "initialize" ? "" : method) {
    case "initialize":
      return Effect.succeed({
        protocolVersion: connection.protocolVersion,
        capabilities: CAPABILITIES,
        serverInfo: connection.serverInfo
      })
    case "server/discover":
      return connection.era === "modern" ? Effect.succeed(discovered(connection)) : unknownMethod(connection, method)
    case "ping":
      return Effect.succeed({})
    case "tools/list":
      return Effect.map(connection.listTools, (tools) => ({ tools, ...cacheHints(connection) }))
    case "tools/call":
      return connection.callTool(name, args)
    case "prompts/list":
      return Effect.map(connection.listPrompts, (prompts) => ({ prompts, ...cacheHints(connection) }))
    case "prompts/get":
      return connection.getPrompt(name, stringsOf(args))
    case "resources/list":
      return Effect.map(connection.listResources, (resources) => ({ resources, ...cacheHints(connection) }))
    case "resources/read":
      return Effect.map(connection.readResource(text(params?.["uri"])), (read) => ({
        ...read,
        ...cacheHints(connection)
      }))
    default:
      return unknownMethod(connection, method)
  }
}

const discovered = (connection: McpConnection): Result => ({
  supportedVersions: [connection.protocolVersion],
  capabilities: CAPABILITIES,
  ...cacheHints(connection),
  _meta: { "io.modelcontextprotocol/serverInfo": connection.serverInfo }
})

/** Nothing is to be kept: what one session is shown is not for another. */
const cacheHints = ({ era }: McpConnection): Result => (era === "modern" ? { ttlMs: 0, cacheScope: "private" } : {})

const unknownMethod = (connection: McpConnection, method: string) =>
  Effect.fail(
    new McpError({
      server: connection.server,
      reason: new ProtocolFailed({ code: METHOD_NOT_FOUND, description: `the mock server does not know ${method}` })
    })
  )

const stringsOf = (args: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(args).map(([name, value]) => [name, String(value)]))

const text = (value: unknown): string => (typeof value === "string" ? value : "")

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
