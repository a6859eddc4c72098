/**
 * The fetch of one connection: puts the right headers on each request, answers 401 and 403 itself, so that the SDK
 * never sees them, and sends again what may be sent again.
 *
 * Guarantees (design rules 2, 4 and 6): headers go to the endpoint of the entry and nowhere else, neither across a
 * redirect nor to another path; what the SDK sets wins; they are resolved anew for each attempt, proofs of a key included;
 * a request is sent more than once only after a refused credential or proof was renewed, or where to send it twice is the
 * same as once; one whose call ended meanwhile is not sent. One of which it cannot be told whose it is fails instead.
 */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Dispatcher } from "undici"
import type { Call } from "../call/Call.ts"
import type { CallCorrelation } from "../call/CallCorrelation.ts"
import type { Post } from "../session/DirectTransport.ts"
import { Endpoint, type Paths, type RequestTarget } from "./Endpoint.ts"
import { proxyOf } from "./HttpDispatcher.ts"
import * as HttpExchange from "./HttpExchange.ts"
import { HttpLimits } from "./HttpLimits.ts"
import * as HttpRequest from "./HttpRequest.ts"
import type { HttpResponse } from "./HttpResponse.ts"
import * as MediaType from "./MediaType.ts"
import type { RequestGroup } from "./RequestGroup.ts"
import * as Masking from "../failure/Masking.ts"
import * as Proof from "./Proof.ts"
import { HeadersFailed, type McpErrorReason, ProtocolFailed } from "../McpError.ts"
import * as Refusal from "../failure/Refusal.ts"
import * as Repetition from "./Repetition.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"
import { nobody, RequestObserver } from "./RequestObserver.ts"
import * as RequestSubject from "./RequestSubject.ts"

export interface RequestHeadersOptions {
  readonly server: string
  readonly headers: ConnectionHeaders
  readonly correlation: CallCorrelation
  /** The connection's own call. */
  readonly owner: Call
  readonly dispatcher: Dispatcher
  /** That of every request of {@link RequestHeaders.fetch} and {@link RequestHeaders.fetchFor}. Default: none. */
  readonly group?: RequestGroup
  /** Default: `endpoint`. */
  readonly paths?: Paths
}

/** One request, whatever becomes of it. */
interface Sending {
  readonly target: RequestTarget
  readonly request: HttpRequest.HttpRequest
  readonly subject: RequestSubject.RequestSubject
  /** What ends it. */
  readonly signals: ReadonlyArray<AbortSignal>
  readonly group: RequestGroup | undefined
}

export class RequestHeaders {
  readonly #options: RequestHeadersOptions
  readonly #endpoint: Endpoint
  readonly #limits: HttpLimits
  readonly #proxy: string | undefined
  /** What of the endpoint's URL no error may show. */
  readonly #inUrl: Masking.Sent | undefined

  constructor(options: RequestHeadersOptions) {
    this.#options = options
    this.#endpoint = new Endpoint(options.headers.url, options.paths ?? "endpoint")
    this.#inUrl = Masking.credentialsOf(options.headers.url)
    this.#limits = options.owner.service(HttpLimits)
    this.#proxy = proxyOf(options.dispatcher, options.headers.url)
  }

  /** What the SDK's transport calls for each request: whose it is, the ids in it say. */
  readonly fetch: FetchLike = (input, init = {}) => this.#fetch(input, init, undefined)

  /** Sends a request of JSON-RPC to the endpoint; whose it is, its id says. */
  readonly post: Post = (message, headers, body, group, signal) => {
    signal?.throwIfAborted()
    group.throwIfClosed()
    const subject = RequestSubject.ofMessage(message, this.#options.correlation)
    const request = { method: "POST", headers, body }
    const { call } = subject
    // The connection's own call lives long (see `RequestGroup`); what its requests are ended with says when it is over.
    const own = call === this.#options.owner && signal !== undefined ? [] : [call.signal]
    const signals = signal === undefined ? own : [signal, ...own]
    return this.#send({ target: this.#endpoint.target, request, subject, signals, group })
  }

  /** A fetch each of whose requests belongs to this call. */
  fetchFor(call: Call): FetchLike {
    return (input, init = {}) => this.#fetch(input, init, call)
  }

  async #fetch(input: string | URL, init: HttpRequest.Init, bound: Call | undefined): Promise<Response> {
    const { correlation, group, owner } = this.#options
    init.signal?.throwIfAborted()
    group?.throwIfClosed()
    const target = this.#endpoint.find(input)
    const reading = HttpRequest.of(init)
    const request = reading instanceof Promise ? await reading : reading
    // Neither the endpoint nor what it may name: whatever it is, none of our headers belongs to it.
    if (!this.#endpoint.owns(target)) {
      const signals = init.signal === undefined || init.signal === null ? [] : [init.signal]
      return this.#write({ target, request, subject: { call: bound ?? owner }, signals, group }, undefined)
    }
    const subject =
      bound === undefined ? RequestSubject.find(request, correlation, owner) : RequestSubject.of(request, bound)
    const sending = { target, request, subject, signals: RequestSubject.signals(subject, init.signal), group }
    try {
      return await this.#send(sending)
    } catch (error) {
      // The SDK would resume the stream again and again; the reason will be the same.
      if (subject.resumes === true && error instanceof RequestFailure) subject.call.fail(error.reason)
      throw error
    }
  }

  async #send(sending: Sending): Promise<HttpResponse> {
    const { call, repeatable } = sending.subject
    const { headers, owner } = this.#options
    // What the connection sends for itself is many requests: what one was sent with is nothing to the next.
    let before = call === owner ? undefined : call.headers
    let repetitions = 0
    let challenged = false
    let provenAnew = false
    for (let attempt = 1; ; attempt += 1) {
      const effect = headers.resolve(call.context, before)
      const given = settled(effect) ?? (await this.#run(effect, sending))
      const proof = Proof.of(given, sending.request, sending.target.url)
      const resolved = proof === undefined ? given : await this.#run(proof.headers, sending)
      before = resolved
      const answered = await this.#attempt(sending, resolved, attempt)
      if (answered instanceof RequestFailure) {
        if (!(await this.#mayRepeat(sending, repetitions))) throw answered
        repetitions += 1
        continue
      }
      const proofRefused = proof?.isRefused(answered) === true
      const sent = this.#inUrl === undefined ? [resolved] : [resolved, this.#inUrl]
      const refused = Refusal.redirect(answered, sending.request.method, sending.target.url, sent)
      if (refused !== undefined) throw await failed(answered, new RequestFailure(refused))
      if (!Refusal.isFinal(answered)) return this.#answer(answered, sending)
      this.#setWritten(sending, false)
      const now = call.service(Clock.Clock).currentTimeMillisUnsafe()
      const reason = await Refusal.reason(answered, resolved, sent, now, this.#proxy)
      // The credential is as good as before: nobody is asked for another.
      if (proofRefused && !provenAnew) {
        provenAnew = true
        continue
      }
      if (!proofRefused && Refusal.isChallenge(answered)) {
        const response = challengeOf(answered)
        if (challenged) await this.#run(headers.refusedAgain(call.context, resolved, response), sending)
        else {
          challenged = true
          const decision = await this.#run(headers.challenge(call.context, resolved, response), sending)
          if (decision === "retry") continue
        }
      } else if (repeatable === true && Refusal.isPassing(answered)) {
        if (await this.#mayRepeat(sending, repetitions, reason)) {
          repetitions += 1
          continue
        }
      }
      throw new RequestFailure(reason)
    }
  }

  /** Sends it once; gives the answer, or why there was none or none that could be read. */
  async #attempt(sending: Sending, resolved: ResolvedHeaders, attempt: number): Promise<HttpResponse | RequestFailure> {
    const { subject } = sending
    // The call may have ended while the headers were resolved or the refusal was answered (fault F82).
    throwIfEnded(sending)
    subject.call.carry(resolved)
    if (this.#inUrl !== undefined) subject.call.remember(this.#inUrl)
    const observer = subject.call.service(RequestObserver)
    if (observer !== nobody) observe(observer, this.#options.server, sending, resolved, attempt)
    try {
      const response = await this.#write(sending, resolved)
      // What may be sent again is read here, so that it can be where its body breaks off.
      if (subject.repeatable === true && response.ok && isJson(response)) await response.load()
      return response
    } catch (error) {
      throwIfEnded(sending)
      if (subject.repeatable === true && error instanceof RequestFailure && Repetition.isBroken(error)) return error
      throw error
    }
  }

  async #write(sending: Sending, resolved: ResolvedHeaders | undefined): Promise<HttpResponse> {
    const { target, request, subject, signals, group } = sending
    try {
      return await HttpExchange.send(this.#options.dispatcher, {
        origin: target.origin,
        path: target.path,
        method: request.method,
        fields: HttpRequest.fieldsOf(request, resolved),
        body: request.body,
        signals,
        group,
        limit: this.#limits.answer,
        silence: subject.watched === true ? this.#limits.silence : 0,
        // Over HTTP+SSE all answers come by the one stream.
        ...(this.#options.paths === "origin" ? { awaited: () => this.#options.correlation.size > 0 } : {}),
        onStart: () => this.#setWritten(sending, true),
        // Were the stream resumed, the same event would come again.
        ...(subject.call === this.#options.owner
          ? {}
          : { onExceeded: (failure: RequestFailure) => subject.call.fail(failure.reason) })
      })
    } catch (error) {
      throwIfEnded(sending)
      if (error instanceof RequestFailure) throw error
      throw new RequestFailure(Refusal.unreachable(error, target.url, this.#proxy))
    }
  }

  /** A request is answered with something: at once, or by a stream. */
  async #answer(response: HttpResponse, { subject }: Sending): Promise<HttpResponse> {
    // The SDK forgets where a stream stood that it resumes, should it break again before its next event.
    if (subject.after !== undefined && response.ok && this.#options.paths !== "origin")
      response.begin(`id: ${subject.after}\ndata:\n\n`)
    const unanswered = subject.id !== undefined && (response.status === 202 || response.status === 204)
    if (!unanswered || this.#options.paths === "origin") return response
    throw await failed(response, new RequestFailure(UNANSWERED[response.status === 202 ? 202 : 204]))
  }

  #setWritten({ subject }: Sending, written: boolean): void {
    if (subject.id !== undefined) this.#options.correlation.setWritten(subject.id, written)
  }

  /** Waits until it may be sent again; `false` where it may not. */
  async #mayRepeat(sending: Sending, repetitions: number, reason?: McpErrorReason): Promise<boolean> {
    if (sending.subject.repeatable !== true || repetitions >= this.#limits.retries) return false
    return this.#run(Repetition.wait(reason, repetitions, this.#limits), sending)
  }

  async #run<A>(effect: Effect.Effect<A, HeaderError>, sending: Sending): Promise<A> {
    const { call } = sending.subject
    const exit = await endedWith(sending, (signal) =>
      Effect.runPromiseExitWith(call.services)(Effect.provideService(effect, CurrentCall, call.context), { signal })
    )
    if (Exit.isSuccess(exit)) return exit.value
    throwIfEnded(sending)
    const error = Cause.findErrorOption(exit.cause)
    // A defect is shown by no word of its own: it may quote a value.
    throw new RequestFailure(
      Option.isSome(error) ? new HeadersFailed({ error: error.value }) : new ProtocolFailed(RESOLVER_BROKEN)
    )
  }
}

const RESOLVER_BROKEN = {
  code: undefined,
  description: "the headers could not be put together: a header source broke off unexpectedly"
}

const unanswered = (status: number) =>
  new ProtocolFailed({
    code: undefined,
    description: `the server answered the request with ${status} and no content; is this the URL of an MCP server?`
  })

const UNANSWERED = { 202: unanswered(202), 204: unanswered(204) }

const throwIfEnded = ({ group, signals }: Sending): void => {
  for (const signal of signals) signal.throwIfAborted()
  group?.throwIfClosed()
}

/** Does something with a signal of all that ends the request. */
const endedWith = async <A>({ group, signals }: Sending, run: (signal: AbortSignal) => Promise<A>): Promise<A> => {
  const closed = new AbortController()
  const inGroup = group?.enter((reason) => closed.abort(reason))
  try {
    return await run(AbortSignal.any([...signals, closed.signal]))
  } finally {
    if (inGroup !== undefined) group?.leave(inGroup)
  }
}

/** The headers, where nothing has to be awaited for them: then no fiber is needed. */
const settled = (effect: Effect.Effect<ResolvedHeaders, HeaderError>): ResolvedHeaders | undefined =>
  Exit.isExit(effect) && Exit.isSuccess(effect) && effect.value instanceof ResolvedHeaders ? effect.value : undefined

/** Ends with `failure`, without holding the socket for a body that nobody reads. */
const failed = async (response: HttpResponse, failure: RequestFailure): Promise<RequestFailure> => {
  await response.body?.cancel()
  return failure
}

const isJson = (response: HttpResponse): boolean =>
  MediaType.essence(response.field("content-type")) === MediaType.JSON_TEXT

const challengeOf = (response: HttpResponse) => {
  const wwwAuthenticate = response.field("www-authenticate")
  return { status: response.status, ...(wwwAuthenticate === undefined ? {} : { wwwAuthenticate }) }
}

const observe = (
  observer: (typeof RequestObserver)["Service"],
  server: string,
  { request, subject }: Sending,
  headers: ResolvedHeaders,
  attempt: number
): void => {
  try {
    observer({ server, httpMethod: request.method, call: subject.call.context, headers, attempt })
  } catch {
    // An observer has no say in the request.
  }
}
