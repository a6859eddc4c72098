/** When HTTP+SSE takes over from Streamable HTTP, and what is said where that is no way either. */
import { SdkHttpError } from "@modelcontextprotocol/client"
import { HttpFailed, type McpErrorReason } from "../McpError.ts"

/**
 * Whether the answer to `initialize` says that Streamable HTTP is not spoken there: any 4xx that comes here. 401, 403,
 * 408 and 429 never do, since they end the request.
 */
export const isCalledFor = (error: unknown): error is SdkHttpError =>
  error instanceof SdkHttpError && error.status >= 400 && error.status < 500

/** Why neither transport is spoken there, and what to do. */
export const neither = (refusal: SdkHttpError, sse: McpErrorReason): HttpFailed =>
  new HttpFailed({
    status: refusal.status,
    description: `neither transport is offered at this URL: "initialize" over Streamable HTTP was answered ${refusal.status}; over HTTP+SSE: ${sse.message}. Check "url", whose path is often /mcp or /sse; if you know the transport, name it in "type", and the other is not tried`
  })
