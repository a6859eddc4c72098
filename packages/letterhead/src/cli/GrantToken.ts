/**
 * A token by the grant of an entry where nobody signs in, got now and sent to no server: what `login` tries, and what
 * `auth inspect` shows, since calls keep theirs in memory alone.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import { HeaderError } from "@letterhead/core/headers/HeaderError"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { withProgress } from "./Progress.ts"

/** The record that a sign-in would leave. Fails as a call would that needs the token. */
export const request = Effect.fnUntraced(function* (entry: ServerEntry) {
  const { evaluate: urlOf } = yield* Effect.promise(() => import("@letterhead/core/server/ServerUrl"))
  const { evaluate: settingsOf } = yield* Effect.promise(() => import("@letterhead/oauth/flow/EntrySettings"))
  const GrantFlow = yield* Effect.promise(() => import("@letterhead/oauth/flow/GrantFlow"))
  const ServerChallenge = yield* Effect.promise(() => import("@letterhead/oauth/discovery/ServerChallenge"))
  const TokenRecord = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenRecord"))
  const { layer: network } = yield* Effect.promise(() => import("../OAuthNetwork.ts"))
  const server = entry.name
  const serverUrl = yield* urlOf(entry)
  const target = { server, serverUrl, principal: LOCAL_PRINCIPAL, settings: yield* settingsOf(entry) }
  const issued = yield* ServerChallenge.ask(serverUrl).pipe(
    Effect.flatMap((challenge) =>
      GrantFlow.request(target, { challenge, scopes: entry.oauth?.scopes, missing: undefined })
    ),
    Effect.provide(network()),
    Effect.mapError((reason) => new HeaderError({ server, source: "oauth", reason })),
    withProgress(`asking for a token for ${server}`)
  )
  return TokenRecord.issued(issued, { ...issued, serverUrl: serverUrl.href }, yield* Clock.currentTimeMillis)
})
