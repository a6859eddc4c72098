/**
 * The fetch of one connection: puts the right headers on each request and answers 401 and 403 itself, so that the SDK
 * never sees them.
 *
 * Guarantees (design rules 2, 4 and 6): headers go to the endpoint of the entry and nowhere else, neither across a
 * redirect nor to another path; what the SDK sets wins; they are resolved anew for each attempt; a refused request is
 * sent at most once more; a request whose call ended meanwhile is not sent. A request of which it cannot be told whose
 * it is fails instead of being sent.
 */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import { isForwardedOnly, isProtocolOwned } from "@letterhead/core/headers/HeaderField"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Dispatcher, fetch, Headers, type Response } from "undici"
import type { Call } from "./Call.ts"
import type { CallCorrelation, RequestId } from "./CallCorrelation.ts"
import { ConnectionClosed, HeadersFailed, ProtocolFailed, RedirectRefused } from "./McpError.ts"
import * as Refusal from "./Refusal.ts"
import { RequestFailure } from "./RequestFailure.ts"
import { RequestObserver } from "./RequestObserver.ts"

export interface RequestHeadersOptions {
  readonly server: string
  readonly headers: ConnectionHeaders
  readonly correlation: CallCorrelation
  /** The connection's own call. */
  readonly owner: Call
  readonly dispatcher: Dispatcher
}

/** Whose a request is. */
interface Subject {
  readonly call: Call
  /** Of the JSON-RPC request in its body. */
  readonly id?: RequestId
  /** Whether it resumes the stream of a call. */
  readonly resumes?: boolean
}

type Init = NonNullable<Parameters<FetchLike>[1]>

/** The first, and one more where the resolver has something new. */
const ATTEMPTS = 2

export class RequestHeaders {
  readonly #options: RequestHeadersOptions

  constructor(options: RequestHeadersOptions) {
    this.#options = options
  }

  /** What the SDK's transport calls for each request. */
  readonly fetch: FetchLike = async (input, init = {}) => {
    const url = new URL(input)
    const { headers } = this.#options
    if (url.origin !== headers.url.origin) throw new RequestFailure(new RedirectRefused({ target: url.origin }))
    // Not the endpoint: whatever it is, none of our headers belongs to it.
    if (url.pathname !== headers.url.pathname) return this.#write(url, init, undefined)
    const subject = this.#subject(init)
    try {
      return await this.#send(url, init, subject)
    } catch (error) {
      // The SDK would resume the stream again and again; the reason will be the same.
      if (subject.resumes === true && error instanceof RequestFailure) subject.call.fail(error.reason)
      throw error
    }
  }

  async #send(url: URL, init: Init, subject: Subject): Promise<Response> {
    const { headers } = this.#options
    for (let attempt = 1; ; attempt += 1) {
      const resolved = await this.#run(headers.resolve(subject.call.context), subject.call, init.signal)
      const response = await this.#attempt(url, init, subject, resolved, attempt)
      const refused = Refusal.redirect(response, methodOf(init), url)
      if (refused !== undefined) throw await failed(response, refused)
      if (!Refusal.isFinal(response)) return response
      if (subject.id !== undefined) this.#options.correlation.setWritten(subject.id, false)
      const reason = await Refusal.reason(response, resolved)
      if (attempt === ATTEMPTS || !Refusal.isChallenge(response)) throw new RequestFailure(reason)
      const decision = await this.#run(
        headers.challenge(subject.call.context, resolved, challengeOf(response)),
        subject.call,
        init.signal
      )
      if (decision === "give up") throw new RequestFailure(reason)
    }
  }

  #attempt(url: URL, init: Init, subject: Subject, resolved: ResolvedHeaders, attempt: number): Promise<Response> {
    const { correlation, server } = this.#options
    // The call may have ended while the headers were resolved or the refusal was answered (fault F82).
    init.signal?.throwIfAborted()
    subject.call.remember(resolved)
    observe(subject.call, {
      server,
      httpMethod: methodOf(init),
      call: subject.call.context,
      headers: resolved,
      attempt
    })
    if (subject.id !== undefined) correlation.setWritten(subject.id, true)
    return this.#write(url, init, resolved)
  }

  /** The one place where values leave as plain text. */
  async #write(url: URL, init: Init, resolved: ResolvedHeaders | undefined): Promise<Response> {
    const headers = new Headers(entriesOf(init.headers))
    for (const [name, value] of resolved?.reveal() ?? []) {
      const owned = isProtocolOwned(name) && !isForwardedOnly(name)
      if (!owned && !headers.has(name)) headers.set(name, value)
    }
    try {
      return await fetch(url, {
        method: methodOf(init),
        headers,
        redirect: "manual",
        dispatcher: this.#options.dispatcher,
        ...(typeof init.body === "string" ? { body: init.body } : {}),
        ...(init.signal == null ? {} : { signal: init.signal })
      })
    } catch (error) {
      init.signal?.throwIfAborted()
      throw new RequestFailure(Refusal.unreachable(error, url))
    }
  }

  #subject(init: Init): Subject {
    const { correlation, owner } = this.#options
    init.signal?.throwIfAborted()
    switch (methodOf(init)) {
      case "GET": {
        const eventId = new Headers(entriesOf(init.headers)).get("last-event-id")
        const [call, ...others] = eventId === null ? [] : correlation.event(eventId)
        if (others.length > 0) throw new RequestFailure(new ProtocolFailed(EVENT_AMBIGUOUS))
        return call === undefined ? { call: owner } : { call, resumes: call !== owner }
      }
      case "POST": {
        const { method, id, cancels } = readMessage(init.body)
        // A reply to the server has an id too, of the server's own counting.
        if (method === undefined) return { call: owner }
        if (id !== undefined) return { call: known(correlation.request(id)), id }
        if (cancels !== undefined) return { call: known(correlation.cancellation(cancels)) }
        return { call: owner }
      }
      default:
        return { call: owner }
    }
  }

  async #run<A>(effect: Effect.Effect<A, HeaderError>, call: Call, signal: Init["signal"]): Promise<A> {
    const exit = await Effect.runPromiseExitWith(call.services)(
      Effect.provideService(effect, CurrentCall, call.context),
      signal == null ? {} : { signal }
    )
    if (Exit.isSuccess(exit)) return exit.value
    signal?.throwIfAborted()
    const error = Cause.findErrorOption(exit.cause)
    // A defect is shown by no word of its own: it may quote a value.
    throw new RequestFailure(
      Option.isSome(error) ? new HeadersFailed({ error: error.value }) : new ProtocolFailed(RESOLVER_BROKEN)
    )
  }
}

const EVENT_AMBIGUOUS = {
  code: undefined,
  description: "the server gave the streams of two calls the same event id, so neither can be resumed"
}

const RESOLVER_BROKEN = {
  code: undefined,
  description: "the headers could not be put together: a header source broke off unexpectedly"
}

const known = (call: Call | undefined): Call => {
  if (call !== undefined) return call
  throw new RequestFailure(new ConnectionClosed({ description: "the call ended before its request was sent" }))
}

/** Ends with `reason`, without holding the socket for a body that nobody reads. */
const failed = async (response: Response, reason: RedirectRefused): Promise<RequestFailure> => {
  await response.body?.cancel()
  return new RequestFailure(reason)
}

const challengeOf = (response: Response) => {
  const wwwAuthenticate = response.headers.get("www-authenticate")
  return { status: response.status, ...(wwwAuthenticate === null ? {} : { wwwAuthenticate }) }
}

const observe = (call: Call, request: Parameters<(typeof RequestObserver)["Service"]>[0]): void => {
  try {
    Context.get(call.services, RequestObserver)(request)
  } catch {
    // An observer has no say in the request.
  }
}

const methodOf = (init: Init): string => (init.method ?? "GET").toUpperCase()

const entriesOf = (headers: Init["headers"]): Array<[string, string]> => [...new globalThis.Headers(headers)]

/** As much of the message in a body as its call is found by. */
const readMessage = (
  body: Init["body"]
): { readonly method?: string; readonly id?: RequestId; readonly cancels?: RequestId } => {
  const message: unknown = typeof body === "string" ? JSON.parse(body) : undefined
  const method = property(message, "method")
  if (typeof method !== "string") return {}
  const id = property(message, "id")
  if (isId(id)) return { method, id }
  const cancels = method === "notifications/cancelled" ? property(property(message, "params"), "requestId") : undefined
  return isId(cancels) ? { method, cancels } : { method }
}

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined

const isId = (value: unknown): value is RequestId => typeof value === "string" || typeof value === "number"
