/**
 * Whose an HTTP request is, what ends it and whether it may be sent again, by the ids that stand in it.
 *
 * It refuses to guess: a request of which it cannot be told whose it is fails instead of being sent.
 */
import type { Call } from "../call/Call.ts"
import type { CallCorrelation, RequestId } from "../call/CallCorrelation.ts"
import * as HttpRequest from "./HttpRequest.ts"
import { ConnectionClosed, ProtocolFailed } from "../McpError.ts"
import * as MessageHead from "../message/MessageHead.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

export interface RequestSubject {
  readonly call: Call
  /** Of the JSON-RPC request in its body. */
  readonly id?: RequestId | undefined
  /** Whether it resumes the stream of a call. */
  readonly resumes?: boolean
  /** The event after which it resumes a stream, of a call or of the connection. */
  readonly after?: string | undefined
  /** Whether it may be sent though it was sent before. */
  readonly repeatable?: boolean
  /** Whether it opens a stream whose silence means that it is dead. */
  readonly watched?: boolean
}

/** The subject of a request of a connection; what belongs to no call is the owner's. */
export const find = (request: HttpRequest.HttpRequest, correlation: CallCorrelation, owner: Call): RequestSubject => {
  if (request.method === "GET") {
    const eventId = request.headers.get("last-event-id") ?? undefined
    const [call, ...others] = eventId === undefined ? [] : correlation.event(eventId)
    if (others.length > 0) throw new RequestFailure(new ProtocolFailed(EVENT_AMBIGUOUS))
    const resumes = call !== undefined && call !== owner
    return { call: call ?? owner, resumes, after: eventId, repeatable: resumes, watched: true }
  }
  if (request.method !== "POST") return { call: owner }
  const { method, id, cancels } = MessageHead.read(HttpRequest.textOf(request))
  // A reply to the server has an id too, of the server's own counting.
  if (method === undefined) return { call: owner }
  if (id !== undefined) return ofMessage({ id, method }, correlation)
  return { call: cancels === undefined ? owner : known(correlation.cancellation(cancels)) }
}

/** The subject of a request of JSON-RPC. */
export const ofMessage = (
  { id, method }: { readonly id: RequestId; readonly method: string },
  correlation: CallCorrelation
): RequestSubject => requestOf(known(correlation.request(id)), method, id)

/** The subject of a request that is known to belong to a call. */
export const of = (request: HttpRequest.HttpRequest, call: Call): RequestSubject => {
  if (request.method === "GET") return { call, watched: true }
  if (request.method !== "POST") return { call }
  const { method, id } = MessageHead.read(HttpRequest.textOf(request))
  return method === undefined || id === undefined ? { call } : requestOf(call, method, id)
}

/** What ends a request: whoever sends it, and the end of its call. A cancellation is sent after that. */
export const signals = (
  { call, id, resumes }: RequestSubject,
  sender: AbortSignal | null | undefined
): ReadonlyArray<AbortSignal> => {
  const own = id !== undefined || resumes === true ? [call.signal] : []
  return sender === undefined || sender === null || sender === call.signal ? own : [sender, ...own]
}

const requestOf = (call: Call, method: string, id: RequestId): RequestSubject => ({
  call,
  id,
  repeatable: call.idempotent || MessageHead.isIdempotent(method),
  watched: method === "subscriptions/listen"
})

const known = (call: Call | undefined): Call => {
  if (call !== undefined) return call
  throw new RequestFailure(new ConnectionClosed({ description: "the call ended before its request was sent" }))
}

const EVENT_AMBIGUOUS = {
  code: undefined,
  description: "the server gave the streams of two calls the same event id, so neither can be resumed"
}
