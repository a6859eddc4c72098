/**
 * What a server asks for of somebody who has no token: the `WWW-Authenticate` field of its answer to a first request.
 *
 * Signing in goes by what the server says there (RFC 9728), and before a fresh sign-in nobody was refused yet. The request
 * carries no header of ours. A session that it begins, where the server lets anybody, is ended behind it.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import * as Challenge from "./Challenge.ts"

/** `undefined` where the server does not answer 401, or asks for no token. Fails where it does not answer. */
export const answerOf = (serverUrl: URL): Effect.Effect<Challenge.OAuthChallenge | undefined, Unanswered> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const response = yield* Effect.tryPromise((signal) =>
        fetch(serverUrl, { method: "POST", headers: HEADERS, body: INITIALIZE, redirect: "manual", signal })
      )
      const session = response.ok ? response.headers.get("mcp-session-id") : null
      if (session !== null) yield* Effect.forkDetach(end(serverUrl, session))
      return response.status === 401
        ? Challenge.parse(response.headers.get("www-authenticate") ?? undefined)
        : undefined
    })
  ).pipe(Effect.mapError(() => new Unanswered()))

/** As {@link answerOf}; `undefined` as well where the server does not answer at all. */
export const ask = (serverUrl: URL): Effect.Effect<Challenge.OAuthChallenge | undefined> =>
  Effect.orElseSucceed(answerOf(serverUrl), () => undefined)

/** The server gave no answer. */
export class Unanswered extends Data.TaggedError("Unanswered") {}

/** Of a server that does not take it, the session ends by itself. */
const end = (serverUrl: URL, session: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const fetch = yield* OAuthFetch.make({ serverUrl })
    yield* Effect.tryPromise((signal) =>
      fetch(serverUrl, { method: "DELETE", headers: { "mcp-session-id": session }, redirect: "manual", signal })
    )
  }).pipe(Effect.scoped, Effect.timeout(END_LIMIT), Effect.ignore)

/** Milliseconds: nobody waits for it, but a program that is done otherwise. */
const END_LIMIT = 2_000

const HEADERS = { accept: "application/json, text/event-stream", "content-type": "application/json" }

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "letterhead", version: "1" } }
})
