import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"

export const program = Effect.gen(function* () {
  const letterhead = yield* McpTransport
  // Everything that this client sends, connecting included, carries the headers of this one session.
  const fetch = yield* letterhead.fetch("linear", { principal: "ada", sessionId: "s-1" })
  const transport = new StreamableHTTPClientTransport(new URL("https://mcp.linear.app/mcp"), { fetch })
  const client = new Client({ name: "my-runtime", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.connect(transport)),
    () => Effect.promise(() => client.close())
  )
  return yield* Effect.promise(() => client.callTool({ name: "list_issues" }))
})
