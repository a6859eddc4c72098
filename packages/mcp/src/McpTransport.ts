/** Opens connections to MCP servers on which every call carries its own headers. (the layer follows) */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { McpConnection } from "./McpConnection.ts"
import type { McpError } from "./McpError.ts"

/** One HTTP request as it is written. Values stay redacted. */
export interface SentRequest {
  readonly server: string
  readonly httpMethod: string
  readonly call: CallContext
  readonly headers: ResolvedHeaders
  /** 1, or 2 after a renewed credential. */
  readonly attempt: number
}

/** Told of each request just before it is written; for a demo, an audit, a test. Default: nobody is. */
export const RequestObserver: Context.Reference<(request: SentRequest) => void> = Context.Reference<
  (request: SentRequest) => void
>("@letterhead/mcp/RequestObserver", { defaultValue: () => () => {} })

export class McpTransport extends Context.Service<
  McpTransport,
  {
    /**
     * The connection of `owner` (default: the current call) to a server, by name or as an entry.
     *
     * One connection per principal and server while any scope holds it; the last scope to close ends it.
     */
    readonly connect: (
      server: string | ServerEntry,
      owner?: CallContext
    ) => Effect.Effect<McpConnection, McpError, Scope.Scope>
  }
>()("@letterhead/mcp/McpTransport") {}
