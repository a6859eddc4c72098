/**
 * Which call a request on the wire belongs to, by the ids that stand in it.
 *
 * The SDK hands `fetch` a URL and a body and nothing else, so the ids are the only thread: the JSON-RPC id of a request,
 * the id of the request that a cancellation names, the id of the last event of a stream that is resumed. A request is
 * entered before the SDK sees it and leaves with its answer, its failure or its cancellation, so what is held is bounded
 * by the requests in flight; a request has one event id at a time, the newest.
 *
 * It refuses to guess: an id that is not entered has no call, and an event id that two requests share has none either.
 */
import * as Context from "effect/Context"
import type { Call, OpenRequest } from "./Call.ts"

/** A JSON-RPC id. The SDK compares them as text, since servers return numbers as strings. */
export type RequestId = string | number

interface Entry {
  readonly id: RequestId
  readonly call: Call
  /** What its call ends with it. */
  readonly request: OpenRequest | undefined
  /** Whether the request was handed to the network and not refused. */
  written: boolean
  eventId?: string
  /** The session it was sent in. */
  session?: object
}

export class CallCorrelation {
  /** By id; an object, since a map that calls enter and leave is slow to collect (see `OpenSlots`). */
  readonly #requests: Record<RequestId, Entry> = Object.create(null)
  #open = 0
  /** Most connections never have any of these. */
  #cancellations: Map<string, Entry> | undefined
  #events: Map<string, Set<Entry>> | undefined

  /** Ids held at this moment; 0 when nothing is under way. */
  get size(): number {
    return this.#open + (this.#cancellations?.size ?? 0) + (this.#events?.size ?? 0)
  }

  /** The requests that are under way. */
  ids(): ReadonlyArray<RequestId> {
    return this.#entries().map(({ id }) => id)
  }

  /** The calls whose requests are under way or being cancelled. */
  calls(): ReadonlySet<Call> {
    return new Set([...this.#entries(), ...(this.#cancellations?.values() ?? [])].map(({ call }) => call))
  }

  /** The requests that are under way in a session. */
  requestsIn(session: object): ReadonlyArray<RequestId> {
    return this.#entries().flatMap((entry) => (entry.session === session ? [entry.id] : []))
  }

  /** The requests whose streams have come to this event. */
  requestsAt(eventId: string): ReadonlyArray<RequestId> {
    return Array.from(this.#events?.get(eventId) ?? [], ({ id }) => id)
  }

  /** Enters a request before it is sent; the end of its call ends what is named `request`. */
  open(id: RequestId, call: Call, request?: OpenRequest): void {
    if (this.#requests[id] === undefined) this.#open += 1
    this.#requests[id] = { id, call, request, written: false }
    if (request !== undefined) call.enter(request)
  }

  /** The call of a request that is under way. */
  request(id: RequestId): Call | undefined {
    return this.#requests[id]?.call
  }

  /** Notes whether the server has the request: a request that it never got, or refused, needs no cancelling. */
  setWritten(id: RequestId, written: boolean): void {
    const entry = this.#requests[id]
    if (entry !== undefined) entry.written = written
  }

  isWritten(id: RequestId): boolean {
    return this.#requests[id]?.written ?? false
  }

  /** Notes in which session a request is sent. */
  setSession(id: RequestId, session: object): void {
    const entry = this.#requests[id]
    if (entry !== undefined) entry.session = session
  }

  /** In which session a request was sent that is under way or being cancelled. */
  sessionOf(id: RequestId): object | undefined {
    return (this.#requests[id] ?? this.#cancellations?.get(String(id)))?.session
  }

  /** The stream that answers a request has come to this event. */
  setEvent(id: RequestId, eventId: string): void {
    const entry = this.#requests[id]
    if (entry === undefined) return
    this.#forgetEvent(entry)
    entry.eventId = eventId
    const entries = this.#events?.get(eventId)
    if (entries === undefined) (this.#events ??= new Map()).set(eventId, new Set([entry]))
    else entries.add(entry)
  }

  /** The calls that a stream resumed after this event can belong to: none, the one, or more where ids collide. */
  event(eventId: string): ReadonlyArray<Call> {
    return [...(this.#events?.get(eventId) ?? [])].map((entry) => entry.call)
  }

  /** A request is answered or failed; whether it was under way. */
  close(id: RequestId): boolean {
    const entry = this.#requests[id]
    if (entry === undefined) return false
    this.#forgetEvent(entry)
    if (entry.request !== undefined) entry.call.leave(entry.request)
    this.#open -= 1
    return delete this.#requests[id]
  }

  /** A request is not awaited any more: what carries it is let go. Whether it was under way. */
  drop(id: RequestId): boolean {
    const request = this.#requests[id]?.request
    const open = this.close(id)
    request?.abort()
    return open
  }

  /** A request is given up; its call stays known to the notification that says so until {@link cancelled}. */
  cancel(id: RequestId): void {
    const entry = this.#requests[id]
    if (entry !== undefined) (this.#cancellations ??= new Map()).set(String(id), entry)
    this.drop(id)
  }

  /** The call whose request a cancellation names. */
  cancellation(id: RequestId): Call | undefined {
    return this.#cancellations?.get(String(id))?.call
  }

  /** The cancellation of a request was sent, or failed. */
  cancelled(id: RequestId): void {
    this.#cancellations?.delete(String(id))
  }

  /** The connection is over: nothing is awaited any more. */
  clear(): void {
    for (const id of this.ids()) this.close(id)
    this.#cancellations?.clear()
  }

  #entries(): ReadonlyArray<Entry> {
    return Object.values(this.#requests)
  }

  #forgetEvent(entry: Entry): void {
    if (entry.eventId === undefined) return
    const entries = this.#events?.get(entry.eventId)
    entries?.delete(entry)
    if (entries?.size === 0) this.#events?.delete(entry.eventId)
  }
}

/** Makes the correlation of a connection; a test provides one that keeps what it made, to see that nothing is left. */
export const MakeCorrelation: Context.Reference<() => CallCorrelation> = Context.Reference<() => CallCorrelation>(
  "@letterhead/mcp/call/CallCorrelation/MakeCorrelation",
  { defaultValue: () => () => new CallCorrelation() }
)
