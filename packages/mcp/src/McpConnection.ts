/**
 * A live client of one server for one principal, shared by all of the principal's sessions.
 *
 * Each call carries the headers of the `CurrentCall` of the fiber that makes it; what the connection itself sends
 * carries those of its owner.
 */
import type {
  CallToolResult,
  CompleteRequestParams,
  CompleteResult,
  GetPromptResult,
  Progress,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
  Tool
} from "@modelcontextprotocol/client"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { McpError } from "./McpError.ts"
import type { ServerEvent } from "./ServerEvents.ts"

export interface CallOptions {
  /** Milliseconds until the call is given up and cancelled at the server, with all its requests. Default 60,000. */
  readonly timeout?: number | undefined
  /** Whether it may be sent again after the server may have taken it: that twice is the same as once. Default: no. */
  readonly idempotent?: boolean | undefined
  /** Told of the progress that the server reports. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

export interface McpConnection {
  readonly server: string
  readonly principal: string
  /** `legacy`: MCP up to 2025-11-25. `modern`: 2026-07-28. Changes once where it was taken for modern and is not. */
  readonly era: "legacy" | "modern"
  readonly protocolVersion: string
  readonly serverInfo: { readonly name: string; readonly version: string }
  /** How the server wants to be used, for a model to read. */
  readonly instructions: string | undefined
  /** All pages. */
  readonly listTools: Effect.Effect<ReadonlyArray<Tool>, McpError>
  /** `isError` results are results, not failures. */
  readonly callTool: (
    name: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CallOptions
  ) => Effect.Effect<CallToolResult, McpError>
  readonly listPrompts: Effect.Effect<ReadonlyArray<Prompt>, McpError>
  readonly getPrompt: (
    name: string,
    args?: Readonly<Record<string, string>>,
    options?: CallOptions
  ) => Effect.Effect<GetPromptResult, McpError>
  readonly listResources: Effect.Effect<ReadonlyArray<Resource>, McpError>
  readonly listResourceTemplates: Effect.Effect<ReadonlyArray<ResourceTemplateType>, McpError>
  readonly readResource: (uri: string, options?: CallOptions) => Effect.Effect<ReadResourceResult, McpError>
  /** What an argument of a prompt or of a resource template may be; nothing where the server does not complete. */
  readonly complete: (
    params: Pick<CompleteRequestParams, "ref" | "argument" | "context">,
    options?: CallOptions
  ) => Effect.Effect<CompleteResult["completion"], McpError>
  /**
   * What the server says to no call in particular; each listener has all of it, from when it began to listen.
   *
   * A modern server is asked for changes of its lists while anybody listens.
   */
  readonly events: Stream.Stream<ServerEvent>
  /** While the scope is open, changes of this resource are among `events`, for all who listen. */
  readonly subscribeResource: (uri: string) => Effect.Effect<void, McpError, Scope.Scope>
}
