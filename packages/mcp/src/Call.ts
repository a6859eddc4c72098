/**
 * One call on its way: whose headers its requests carry, and what ends it.
 *
 * A connection is a call too, of its owner, for all that belongs to no other: initialize, discovery, the GET stream,
 * DELETE, the SDK's own lists, replies to the server.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type * as Context from "effect/Context"
import type { McpErrorReason } from "./McpError.ts"

/** Answers of the resolver that a call remembers, to mask them in what comes back: both attempts, and a resumption. */
const REMEMBERED = 4

export class Call {
  readonly context: CallContext
  /** What the caller's fiber knew: clock, tracer, log level, observer. */
  readonly services: Context.Context<never>
  /** Whether its caller says that its requests may be sent again: that sending one twice is the same as once. */
  readonly idempotent: boolean
  readonly #abort = new AbortController()
  #failure: McpErrorReason | undefined
  #sent: ReadonlyArray<ResolvedHeaders> = []

  constructor(
    context: CallContext,
    services: Context.Context<never>,
    options: { readonly idempotent?: boolean | undefined } = {}
  ) {
    this.context = context
    this.services = services
    this.idempotent = options.idempotent ?? false
  }

  /** Aborted when the call is over before it was answered; nothing of it is written afterwards. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Why the call ended, where that was not the SDK's doing. */
  get failure(): McpErrorReason | undefined {
    return this.#failure
  }

  /** The headers it sent, for masking. */
  get sent(): ReadonlyArray<ResolvedHeaders> {
    return this.#sent
  }

  remember(headers: ResolvedHeaders): void {
    if (!this.#sent.includes(headers)) this.#sent = [...this.#sent, headers].slice(-REMEMBERED)
  }

  /** Ends the call for a reason that the SDK does not know; the first one stays. */
  fail(reason: McpErrorReason): void {
    this.#failure ??= reason
    this.#abort.abort()
  }

  /** Ends the call because its caller gave up. */
  abort(): void {
    this.#abort.abort()
  }
}
