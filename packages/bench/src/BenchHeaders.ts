/**
 * The six header fields of every measured call, one of each source, and what they must be.
 *
 * Each subject sends all six, so that what differs is how they came onto the request. The server refuses a call whose
 * fields are not those of the session that the call names in its arguments: a subject that mixes sessions up, or sends
 * nothing, fails the run.
 */

/** One conversation, as a runtime would have thousands of. */
export interface Session {
  readonly id: string
}

export const sessions = (count: number, prefix = "session"): ReadonlyArray<Session> =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}-${index}` }))

/** The one whose headers a client with static headers has. */
export const STATIC_SESSION: Session = { id: "session-0" }

export const STATIC_VALUE = "as-written"
export const CREDENTIAL_VALUE = "a-stored-secret-of-forty-characters-1234"
export const HELPER_VALUE = "Bearer a-token-that-a-helper-printed-of-about-eighty-characters-0123456789-0123456789"
export const OAUTH_VALUE = "an-assertion-of-an-authorization-server"
export const traceOf = (session: string): string => `trace-of-${session}`

/** What the calls of a session carry, names in lower case. */
export const headersOf = (session: string): Readonly<Record<string, string>> => ({
  "x-static": STATIC_VALUE,
  "x-credential": CREDENTIAL_VALUE,
  authorization: HELPER_VALUE,
  "x-assertion": OAUTH_VALUE,
  "x-trace": traceOf(session),
  "x-session": session
})
