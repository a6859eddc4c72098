/**
 * A runtime that has a client of `@modelcontextprotocol/sdk` (version 1): the same transport, and the same `call`.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { call, McpTransport } from "@letterhead/mcp/McpTransport"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"

/** Calls a tool in several sessions at once, through one client. */
export const callInSessions = Effect.fnUntraced(function* (
  server: string,
  tool: string,
  sessions: ReadonlyArray<string>
) {
  const transport = yield* (yield* McpTransport).transport(server)
  const client = new Client({ name: "example", version: "1.0.0" })
  yield* call((options) => client.connect(transport, options))
  return yield* Effect.forEach(
    sessions,
    (sessionId) =>
      withCall(
        call((options) => client.callTool({ name: tool }, undefined, options)),
        { sessionId }
      ),
    { concurrency: "unbounded" }
  )
}, Effect.scoped)
