/**
 * Which call a request on the wire belongs to, by the ids that stand in it.
 *
 * The SDK hands `fetch` a URL and a body and nothing else, so the ids are the only thread: the JSON-RPC id of a request,
 * the id of the request that a cancellation names, the id of the last event of a stream that is resumed. A request is
 * entered before the SDK sees it and leaves with its answer, its failure, its cancellation or the end of its call, so
 * what is held is bounded by the requests in flight; a request has one event id at a time, the newest.
 *
 * It refuses to guess: an id that is not entered has no call, and an event id that two requests share has none either.
 */
import * as Context from "effect/Context"
import type { Call } from "./Call.ts"

/** A JSON-RPC id. The SDK compares them as text, since servers return numbers as strings. */
export type RequestId = string | number

interface Entry {
  readonly id: RequestId
  readonly call: Call
  /** Whether the request was handed to the network and not refused. */
  written: boolean
  eventId?: string
}

export class CallCorrelation {
  readonly #requests = new Map<string, Entry>()
  readonly #cancellations = new Map<string, Call>()
  readonly #events = new Map<string, Set<Entry>>()
  readonly #calls = new Map<Call, Set<string>>()

  /** Ids held at this moment; 0 when nothing is under way. */
  get size(): number {
    return this.#requests.size + this.#cancellations.size + this.#events.size + this.#calls.size
  }

  /** The requests that are under way. */
  ids(): ReadonlyArray<RequestId> {
    return Array.from(this.#requests.values(), ({ id }) => id)
  }

  /** Enters a request before it is sent. */
  open(id: RequestId, call: Call): void {
    const key = String(id)
    this.#requests.set(key, { id, call, written: false })
    const ids = this.#calls.get(call)
    if (ids === undefined) this.#calls.set(call, new Set([key]))
    else ids.add(key)
  }

  /** The call of a request that is under way. */
  request(id: RequestId): Call | undefined {
    return this.#requests.get(String(id))?.call
  }

  /** Notes whether the server has the request: a request that it never got, or refused, needs no cancelling. */
  setWritten(id: RequestId, written: boolean): void {
    const entry = this.#requests.get(String(id))
    if (entry !== undefined) entry.written = written
  }

  isWritten(id: RequestId): boolean {
    return this.#requests.get(String(id))?.written ?? false
  }

  /** The stream that answers a request has come to this event. */
  setEvent(id: RequestId, eventId: string): void {
    const entry = this.#requests.get(String(id))
    if (entry === undefined) return
    this.#forgetEvent(entry)
    entry.eventId = eventId
    const entries = this.#events.get(eventId)
    if (entries === undefined) this.#events.set(eventId, new Set([entry]))
    else entries.add(entry)
  }

  /** The calls that a stream resumed after this event can belong to: none, the one, or more where ids collide. */
  event(eventId: string): ReadonlyArray<Call> {
    return [...(this.#events.get(eventId) ?? [])].map((entry) => entry.call)
  }

  /** A request is answered or failed; whether it was under way. */
  close(id: RequestId): boolean {
    const entry = this.#requests.get(String(id))
    if (entry === undefined) return false
    this.#forgetEvent(entry)
    const ids = this.#calls.get(entry.call)
    ids?.delete(String(id))
    if (ids?.size === 0) this.#calls.delete(entry.call)
    return this.#requests.delete(String(id))
  }

  /** A request is given up; its call stays known to the notification that says so until {@link cancelled}. */
  cancel(id: RequestId): void {
    const call = this.request(id)
    if (call !== undefined) this.#cancellations.set(String(id), call)
    this.close(id)
  }

  /** The call whose request a cancellation names. */
  cancellation(id: RequestId): Call | undefined {
    return this.#cancellations.get(String(id))
  }

  /** The cancellation of a request was sent, or failed. */
  cancelled(id: RequestId): void {
    this.#cancellations.delete(String(id))
  }

  /** A call is over: none of its requests is awaited any more. */
  end(call: Call): void {
    for (const id of this.#calls.get(call) ?? []) this.close(id)
  }

  clear(): void {
    this.#requests.clear()
    this.#cancellations.clear()
    this.#events.clear()
    this.#calls.clear()
  }

  #forgetEvent(entry: Entry): void {
    if (entry.eventId === undefined) return
    const entries = this.#events.get(entry.eventId)
    entries?.delete(entry)
    if (entries?.size === 0) this.#events.delete(entry.eventId)
  }
}

/** Makes the correlation of a connection; a test provides one that keeps what it made, to see that nothing is left. */
export const MakeCorrelation: Context.Reference<() => CallCorrelation> = Context.Reference<() => CallCorrelation>(
  "@letterhead/mcp/CallCorrelation/MakeCorrelation",
  { defaultValue: () => () => new CallCorrelation() }
)
