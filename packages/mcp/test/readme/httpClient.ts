import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http/HttpClient"

export const program = Effect.gen(function* () {
  const letterhead = yield* McpTransport
  const http = yield* letterhead.httpClient("linear", { principal: "ada" })
  const transport = yield* McpClient.http({
    url: "https://mcp.linear.app/mcp",
    protocol: McpProtocol.v2025_11_25
  }).pipe(Effect.provideService(HttpClient, http))
  const client = yield* McpClient.make({ name: "my-runtime", version: "1.0.0" }).pipe(
    Effect.provideService(McpClient.Transport, transport)
  )
  // An agent's turn runs within withCall, and with it every tool of the toolkit.
  return yield* withCall(McpClient.toolkit(client, "linear__"), { principal: "ada", sessionId: "s-1" })
})
