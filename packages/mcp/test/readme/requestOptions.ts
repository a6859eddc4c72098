import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { requestOptions } from "@letterhead/mcp/McpTransport"

/** The client of SDK 1 takes options last. */
export const listIssues = (client: Client, sessionId: string, signal: AbortSignal) =>
  client.callTool(
    { name: "list_issues" },
    undefined,
    requestOptions({ principal: "ada", sessionId }, { signal, timeout: 10_000 })
  )
