/**
 * One call on its way: whose headers its requests carry, and what ends it.
 *
 * A connection is a call too, of its owner, for all that belongs to no other: initialize, discovery, the GET stream,
 * DELETE, the SDK's own lists, replies to the server. A call of a runtime may send several requests, to several
 * servers: each is the call with facts of its own ({@link Call.asking}), and what ends the call ends them all.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import * as Context from "effect/Context"
import { type Sent, valuesOf } from "../failure/Masking.ts"
import type { McpErrorReason } from "../McpError.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

/**
 * What a call remembers, to mask it in what comes back: the headers of both attempts and of a resumption, the URL, and
 * as many again, since those with a proof are others each time.
 */
const REMEMBERED = 10

const NONE: ReadonlyArray<OpenRequest> = []

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
  requests: ReadonlyArray<OpenRequest>
  failure: McpErrorReason | undefined
  sent: ReadonlyArray<Sent>
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
  /** Whether its caller says that its requests may be sent again: that sending one twice is the same as once. */
  readonly idempotent: boolean
  readonly #life: Life
  /** What the caller's fiber knew, and what there is where it knew nothing. */
  readonly #known: Context.Context<never>
  readonly #otherwise: Context.Context<never>
  #services: Context.Context<never> | undefined
  #headers: ResolvedHeaders | undefined

  /** What the caller's fiber knew goes before `otherwise`. */
  constructor(
    context: CallContext,
    known: Context.Context<never>,
    settings: CallSettings = {},
    otherwise: Context.Context<never> = Context.empty(),
    of?: Call
  ) {
    this.context = context
    this.#known = known
    this.#otherwise = otherwise
    this.idempotent = settings.idempotent ?? false
    this.#life =
      of === undefined
        ? {
            abort: new AbortController(),
            requests: NONE,
            failure: undefined,
            sent: [],
            callId: undefined,
            latest: undefined
          }
        : of.#life
  }

  /** This call as one of its requests; all of them have one call id. What its fiber knew goes before `otherwise`. */
  asking({ method, nextCallId, server, tool }: RequestFacts, otherwise: Context.Context<never>): Call {
    const callId = this.context.callId ?? (this.#life.callId ??= nextCallId())
    const context =
      tool === undefined
        ? { ...withoutTool(this.context), callId, server, method }
        : { ...this.context, callId, server, method, tool }
    this.#life.latest = context
    return new Call(context, this.#known, this, otherwise, this)
  }

  /** What the caller's fiber knew: clock, tracer, log level, observer. Put together for who runs an effect of it. */
  get services(): Context.Context<never> {
    return (this.#services ??= Context.merge(this.#otherwise, this.#known))
  }

  /** One of these services. */
  service<S>(reference: Context.Reference<S>): S {
    return Context.getOrUndefined(this.#known, reference) ?? Context.get(this.#otherwise, reference)
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

  /** The headers it sent, and what may be secret in the URL it sent them to, for masking. */
  get sent(): ReadonlyArray<Sent> {
    return this.#life.sent
  }

  /** What it was sent with last, if it was; its retries and resumptions are sent with the same of its hooks. */
  get headers(): ResolvedHeaders | undefined {
    return this.#headers
  }

  /** It is sent with these headers. */
  carry(headers: ResolvedHeaders): void {
    this.#headers = headers
    this.remember(valuesOf(headers))
  }

  /** What is to be masked in what comes back. */
  remember(something: Sent): void {
    const { sent } = this.#life
    if (sent.length === 0) this.#life.sent = [something]
    else if (!sent.some((known) => isSame(known, something))) this.#life.sent = [...sent, something].slice(-REMEMBERED)
  }

  /** A request of it is under way, until {@link leave}. */
  enter(request: OpenRequest): void {
    this.#life.requests = [...this.#life.requests, request]
  }

  leave(request: OpenRequest): void {
    this.#life.requests = this.#life.requests.filter((other) => other !== request)
  }

  /** Ends the call for a reason that the SDK does not know; the first one stays. */
  fail(reason: McpErrorReason): void {
    this.#life.failure ??= reason
    for (const request of this.#life.requests) request.fail(reason)
    this.#life.abort.abort(new RequestFailure(reason))
  }

  /**
   * Its caller has what it asked for, so nothing that comes back is shown any more. An SDK may refer to a call long
   * after that: tables from which it took the call refer to it until the next full garbage collection.
   */
  forget(): void {
    if (this.#life.requests.length > 0) return
    this.#life.sent = []
    this.#life.latest = undefined
  }

  /** Ends the call because its caller gave up. */
  abort(): void {
    for (const request of this.#life.requests) request.abort()
    this.#life.abort.abort()
  }
}

/** Without the tool of an outer call, which a request of it is not. */
const withoutTool = (context: CallContext): CallContext => {
  if (context.tool === undefined) return context
  const { tool: _outer, ...known } = context
  return known
}

/** Whether all that there is to mask of one is to be masked of the other. */
const isSame = (one: Sent, other: Sent): boolean => {
  if (one === other) return true
  const [fields, others] = [one.reveal(), other.reveal()]
  return (
    fields.length === others.length &&
    fields.every(([name, value], index) => name === others[index]?.[0] && value === others[index][1])
  )
}
