/** What the demo saw: what was sent, beside what arrived. Values are masked before they get here. */
import { foldName } from "@letterhead/core/headers/HeaderField"
import type { SentRequest } from "@letterhead/mcp/http/RequestObserver"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Redacted from "effect/Redacted"
import { mask } from "../../MaskedValue.ts"

/** One header of a call. */
export interface DemoHeader {
  readonly name: string
  /** The mask of what was sent. */
  readonly value: string
  readonly source: string
  readonly declared: string
  readonly shadowed: ReadonlyArray<{ readonly source: string; readonly declared: string }>
  /** What the server received under that name, compared with what was sent. */
  readonly received: "the same" | "another value" | "nothing"
}

export interface DemoCall {
  readonly user: string
  readonly session: string
  readonly server: string
  readonly era: string
  /** How often the request was written: 2 where the first was refused. */
  readonly attempts: number
  readonly headers: ReadonlyArray<DemoHeader>
}

export interface DemoTotals {
  readonly calls: number
  readonly connections: number
  readonly helperRuns: number
  /** Requests that arrived with a header of another session or user. */
  readonly crossed: number
}

/** What a call sent last, beside what the server says it received. */
export const describeCall = (
  sent: ReadonlyArray<SentRequest>,
  received: ReadonlyArray<RecordedRequest>,
  era: string
): DemoCall | undefined => {
  const last = sent.at(-1)
  if (last === undefined) return undefined
  const arrived = received.findLast((request) => request.sessionMark === last.call.sessionId)
  return {
    user: last.call.principal,
    session: last.call.sessionId ?? "",
    server: last.server,
    era,
    attempts: sent.length,
    headers: last.headers.provenance.flatMap((field) =>
      field.value === undefined
        ? []
        : [
            {
              name: field.name,
              value: mask(field.value),
              source: field.source,
              declared: field.declared,
              shadowed: field.shadowed,
              received: compare(Redacted.value(field.value), arrived?.headers.get(foldName(field.name)))
            }
          ]
    )
  }
}

const compare = (sent: string, received: string | undefined): DemoHeader["received"] => {
  if (received === undefined) return "nothing"
  return sent === received ? "the same" : "another value"
}

/**
 * Requests of a server that carry something of another session or user: a session id that is not that of the call,
 * or a token that a request of another user carried too.
 */
export const countCrossed = (
  received: ReadonlyArray<RecordedRequest>,
  userOf: (session: string) => string | undefined
): number => {
  const ownerOfToken = new Map<string, string>()
  return received.filter((request) => {
    if (request.sessionMark === undefined) return false
    const user = userOf(request.sessionMark)
    const token = request.headers.get("authorization")
    if (user === undefined || token === undefined) return true
    const owner = ownerOfToken.get(token) ?? user
    ownerOfToken.set(token, owner)
    return owner !== user || request.headers.get("x-session-id") !== request.sessionMark
  }).length
}
