/** What a runtime says about a call, in the words of the Promise face. */
import { type CallContext, LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import type { CallOptions } from "@letterhead/mcp/McpConnection"
import * as Redacted from "effect/Redacted"

/** On whose behalf something is done. */
export interface OwnerFacts {
  /** One user of the runtime. Default: `local`, the one person that a program serves. */
  readonly principal?: string
  /** One conversation with the runtime; not an MCP session. */
  readonly session?: string
  /**
   * Headers of the request that the runtime is serving, for entries that let some through. Name those that may be let
   * through: a header that is not here does not exist.
   */
  readonly incoming?: Readonly<Record<string, string>>
}

/** The facts of one call of a connection, whose principal is the connection's. */
export interface CallFacts extends Omit<OwnerFacts, "principal"> {
  /** The call within the session. Default: one is made up. */
  readonly call?: string
  /** Ends the call, and cancels it at the server. */
  readonly signal?: AbortSignal
  /** Milliseconds until the call is given up. Default 60,000. */
  readonly timeout?: number
  /** Whether the call may be sent again where its fate is unknown (a reset, 5xx, 429). Default false. */
  readonly idempotent?: boolean
  /** Told of the progress that the server reports. */
  readonly onProgress?: NonNullable<CallOptions["onProgress"]>
}

export const contextOf = (facts: OwnerFacts & Pick<CallFacts, "call">): CallContext => ({
  principal: facts.principal ?? LOCAL_PRINCIPAL,
  ...partsOf(facts)
})

/** Without the principal, so that the context of a connection keeps its own. */
export const partsOf = ({ call, incoming, session }: CallFacts): Partial<CallContext> => ({
  ...(session === undefined ? {} : { sessionId: session }),
  ...(call === undefined ? {} : { callId: call }),
  ...(incoming === undefined
    ? {}
    : {
        incoming: Object.entries(incoming).map(([name, value]) => ({
          name,
          value: Redacted.make(value, { label: name })
        }))
      })
})
