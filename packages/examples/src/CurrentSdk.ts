/**
 * A runtime that has a client of `@modelcontextprotocol/client` (version 2): the transport is ours, the client its own.
 *
 * One client serves all sessions of a user. What is called within `McpTransport.call` carries the headers of the session
 * that the fiber is in; interrupting the fiber cancels the call at the server.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { call, McpTransport } from "@letterhead/mcp/McpTransport"
import { Client } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"

/** Calls a tool in several sessions at once, through one client. */
export const callInSessions = Effect.fnUntraced(function* (
  server: string,
  tool: string,
  sessions: ReadonlyArray<string>
) {
  const transport = yield* (yield* McpTransport).transport(server)
  const client = new Client({ name: "example", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  yield* call((options) => client.connect(transport, options))
  return yield* Effect.forEach(
    sessions,
    (sessionId) =>
      withCall(
        call((options) => client.callTool({ name: tool }, options)),
        { sessionId }
      ),
    { concurrency: "unbounded" }
  )
}, Effect.scoped)
