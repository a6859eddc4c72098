/**
 * Letterhead as a runtime would provide it, for one server, with a header of the connection and one of the call; and a
 * count of the requests that went out with them.
 *
 * The suite's servers do not look at headers of others. The count says that what they judged is our path.
 */
import { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { RequestObserver, type SentRequest } from "@letterhead/mcp/http/RequestObserver"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Letterhead from "letterhead/Letterhead"
import type { Authorization } from "./Authorization.ts"
import type { Tally } from "./Tally.ts"

/** The name of the server under which the suite's server is known. */
export const SERVER = "conformance"
const STATIC_HEADER = "x-conformance"
const STATIC_VALUE = "static"
const SESSION_HEADER = "x-session"

/** Counts requests as they are written. */
export class HeaderTally {
  #tally: Tally = { requests: 0, withStatic: 0, ofSessions: 0, withSession: 0 }

  get tally(): Tally {
    return this.#tally
  }

  add({ call, headers }: SentRequest): void {
    const carries = (name: string, expected: string | undefined) => {
      const value = headers.get(name)?.value
      return value !== undefined && Redacted.value(value) === expected
    }
    const { requests, withStatic, ofSessions, withSession } = this.#tally
    const ofSession = call.sessionId !== undefined
    this.#tally = {
      requests: requests + 1,
      withStatic: withStatic + (carries(STATIC_HEADER, STATIC_VALUE) ? 1 : 0),
      ofSessions: ofSessions + (ofSession ? 1 : 0),
      withSession: withSession + (ofSession && carries(SESSION_HEADER, call.sessionId) ? 1 : 0)
    }
  }
}

export interface Options {
  readonly url: string
  /** Counts what the connections write. */
  readonly tally: HeaderTally
  readonly authorization: Authorization
  /** Absolute folder for what is kept. Default: the person's. */
  readonly home: string | undefined
}

/** Connections to `url`. */
export const layer = ({ authorization, home, tally, url }: Options) => {
  const { oauth, signIn } = authorization
  return Letterhead.layer({
    values: {
      entries: { [SERVER]: { type: "http", url, headers: { [STATIC_HEADER]: STATIC_VALUE }, oauth } },
      origin: { scope: "user", source: "the conformance suite" }
    },
    sources: [sessionSource],
    credentialStorage: "filesystem",
    environment: home === undefined ? {} : { LETTERHEAD_HOME: home },
    ...(signIn === undefined ? {} : { signIn })
  }).pipe(Layer.provide(Layer.succeed(RequestObserver, (request) => tally.add(request))))
}

/** Names the session of a call. */
const sessionSource: HeaderSource = {
  id: "session",
  rank: Rank.credential,
  lifetime: "call",
  resolve: (entry, { sessionId }) =>
    Effect.fromResult(HeaderPatch.setField(SESSION_HEADER, sessionId ?? "none", "the conformance client")).pipe(
      Effect.map((field) => ({ ...HeaderPatch.empty("session", Rank.credential), set: [field] })),
      Effect.mapError((reason) => new HeaderError({ server: entry.name, source: "session", reason }))
    )
}
