/**
 * What a server asks for of somebody who has no token: the `WWW-Authenticate` field of its answer to a first request.
 *
 * Signing in goes by what the server says there (RFC 9728), and before a fresh sign-in nobody was refused yet. The request
 * carries no header of ours.
 */
import * as Effect from "effect/Effect"
import * as OAuthFetch from "../http/OAuthFetch.ts"
import * as Challenge from "./Challenge.ts"

/** `undefined` where the server does not answer 401, asks for no token, or does not answer at all. */
export const ask = (serverUrl: URL): Effect.Effect<Challenge.OAuthChallenge | undefined> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fetch = yield* OAuthFetch.make({ serverUrl })
      const response = yield* Effect.tryPromise((signal) =>
        fetch(serverUrl, { method: "POST", headers: HEADERS, body: INITIALIZE, redirect: "manual", signal })
      )
      return response.status === 401
        ? Challenge.parse(response.headers.get("www-authenticate") ?? undefined)
        : undefined
    })
  ).pipe(Effect.orElseSucceed(() => undefined))

const HEADERS = { accept: "application/json, text/event-stream", "content-type": "application/json" }

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "letterhead", version: "1" } }
})
