/**
 * One call on its way: whose headers its requests carry, and what ends it.
 *
 * A connection is a call too, of its owner, for all that belongs to no other: initialize, discovery, the GET stream,
 * DELETE, the SDK's own lists, replies to the server. A call of a runtime may send several requests, to several
 * servers: each is the call with facts of its own ({@link Call.asking}), and what ends the call ends them all.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type * as Context from "effect/Context"
import type { McpErrorReason } from "./McpError.ts"
import { RequestFailure } from "./RequestFailure.ts"

/** Answers of the resolver that a call remembers, to mask them in what comes back: both attempts, and a resumption. */
const REMEMBERED = 4

/** A request that is under way. */
export interface OpenRequest {
  /** Lets go of what carries it. */
  readonly abort: () => void
  /** Ends it: whoever waits for its answer is told why there is none. */
  readonly fail: (reason: McpErrorReason) => void
}

/** What the requests of a call have in common. */
interface Life {
  readonly abort: AbortController
  readonly requests: Set<OpenRequest>
  failure: McpErrorReason | undefined
  sent: ReadonlyArray<ResolvedHeaders>
  callId: string | undefined
  latest: CallContext | undefined
}

/** What a message says about its call. */
export interface RequestFacts {
  readonly server: string
  readonly method: string
  /** The tool of a `tools/call`, the prompt of a `prompts/get`, the URI of a `resources/read`. */
  readonly tool: string | undefined
  /** Makes up the id of a call that has none. */
  readonly nextCallId: () => string
}

export interface CallSettings {
  /** Whether its requests may be sent again: that sending one twice is the same as once. Default: no. */
  readonly idempotent?: boolean | undefined
}

export class Call {
  readonly context: CallContext
  /** What the caller's fiber knew: clock, tracer, log level, observer. */
  readonly services: Context.Context<never>
  /** Whether its caller says that its requests may be sent again: that sending one twice is the same as once. */
  readonly idempotent: boolean
  readonly #life: Life

  constructor(context: CallContext, services: Context.Context<never>, settings: CallSettings = {}, of?: Call) {
    this.context = context
    this.services = services
    this.idempotent = settings.idempotent ?? false
    this.#life =
      of === undefined
        ? {
            abort: new AbortController(),
            requests: new Set(),
            failure: undefined,
            sent: [],
            callId: undefined,
            latest: undefined
          }
        : of.#life
  }

  /** This call as one of its requests; all of them have one call id. */
  asking({ method, nextCallId, server, tool }: RequestFacts, services: Context.Context<never>): Call {
    const { tool: _outer, ...known } = this.context
    const callId = known.callId ?? (this.#life.callId ??= nextCallId())
    const context = { ...known, callId, server, method, ...(tool === undefined ? {} : { tool }) }
    this.#life.latest = context
    return new Call(context, services, this, this)
  }

  /** The context of the request that it sent last. */
  get latest(): CallContext | undefined {
    return this.#life.latest
  }

  /** Aborted when the call is over before it was answered; nothing of it is written afterwards. */
  get signal(): AbortSignal {
    return this.#life.abort.signal
  }

  /** Why the call ended, where that was not the SDK's doing. */
  get failure(): McpErrorReason | undefined {
    return this.#life.failure
  }

  /** The headers it sent, for masking. */
  get sent(): ReadonlyArray<ResolvedHeaders> {
    return this.#life.sent
  }

  remember(headers: ResolvedHeaders): void {
    const { sent } = this.#life
    if (!sent.includes(headers)) this.#life.sent = [...sent, headers].slice(-REMEMBERED)
  }

  /** A request of it is under way, until {@link leave}. */
  enter(request: OpenRequest): void {
    this.#life.requests.add(request)
  }

  leave(request: OpenRequest): void {
    this.#life.requests.delete(request)
  }

  /** Ends the call for a reason that the SDK does not know; the first one stays. */
  fail(reason: McpErrorReason): void {
    this.#life.failure ??= reason
    for (const request of this.#life.requests) request.fail(reason)
    this.#life.abort.abort(new RequestFailure(reason))
  }

  /** Ends the call because its caller gave up. */
  abort(): void {
    this.#life.abort.abort()
  }
}
