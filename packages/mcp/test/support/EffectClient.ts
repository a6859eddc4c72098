/** Effect's own MCP client, over an `HttpClient` of `McpTransport`. */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import type { McpClientError } from "effect/ai/McpClientError"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { McpError } from "@letterhead/mcp/McpError"
import type * as Scope from "effect/Scope"
import type { Harness } from "./Harness.ts"

export interface EffectClient {
  readonly mcp: McpClient.McpClient
  /** The texts of its answer. */
  readonly callTool: (
    name: string,
    args: Readonly<Record<string, unknown>>
  ) => Effect.Effect<ReadonlyArray<string>, McpClientError>
}

/** A client of the harness's server for `principal` (default `ada`), with its tools listed. */
export const connect = Effect.fnUntraced(function* (
  { era }: { readonly era: "legacy" | "modern" },
  { server, transport }: Pick<Harness, "server" | "transport">,
  principal = "ada"
): Effect.fn.Return<EffectClient, McpError | McpClientError, Scope.Scope> {
  const http = yield* transport.httpClient("example", { principal })
  const wire = yield* McpClient.http({
    url: server.url,
    protocol: era === "legacy" ? McpProtocol.v2025_11_25 : McpProtocol.v2026_07_28
  }).pipe(Effect.provideService(HttpClient.HttpClient, http))
  const mcp = yield* McpClient.make({ name: "runtime", version: "1.0.0" }).pipe(
    Effect.provideService(McpClient.Transport, wire)
  )
  const listed = yield* Effect.provideService(mcp.listTools(), CurrentCall, { principal, sessionId: "listing" })
  const tools = new Map(listed.map((tool) => [tool.name, tool]))
  return {
    mcp,
    callTool: (name, args) => {
      const tool = tools.get(name)
      if (tool === undefined) return Effect.die(new Error(`no tool ${name}`))
      return Effect.map(mcp.callTool({ tool, arguments: { ...args } }), ({ content }) =>
        content.flatMap((block) => (block.type === "text" ? [block.text] : []))
      )
    }
  }
})
