import { Client } from "@modelcontextprotocol/client"
import { withCall } from "@letterhead/core/call/CallContext"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"

export const program = Effect.gen(function* () {
  const letterhead = yield* McpTransport.McpTransport
  // One client for all sessions of a principal; another principal gets a transport and a client of its own.
  const transport = yield* letterhead.transport("linear", { principal: "ada" })
  const client = new Client({ name: "my-runtime", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  yield* Effect.promise(() => client.connect(transport))

  const issues = McpTransport.call((options) => client.callTool({ name: "list_issues" }, options))
  return yield* Effect.all([
    withCall(issues, { principal: "ada", sessionId: "s-1" }),
    withCall(issues, { principal: "ada", sessionId: "s-2" })
  ])
})
