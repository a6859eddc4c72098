/**
 * MCP connections on which every call carries its own headers.
 *
 * Each module is also a subpath of the package, such as `@letterhead/mcp/McpTransport`.
 */
export * as HttpDispatcher from "./http/HttpDispatcher.ts"
export * as HttpLimits from "./http/HttpLimits.ts"
export type * as McpConnection from "./McpConnection.ts"
export * as McpError from "./McpError.ts"
export * as McpTransport from "./McpTransport.ts"
export * as RequestObserver from "./http/RequestObserver.ts"
