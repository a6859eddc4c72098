/** A server, a connection that somebody signed in at, and what is stored of that. */
import { assert } from "@effect/vitest"
import { local } from "@letterhead/core/call/CallContext"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { open, signedEntry } from "./Signing.ts"
import * as TokenServer from "./TokenServer.ts"

/** Why something fails. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, HeaderError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** A server, and a connection to it that somebody signed in at. */
export const signedIn = (
  settings: Partial<TokenServer.Settings> = {},
  options: Parameters<typeof signedEntry>[1] = {}
) =>
  Effect.gen(function* () {
    const server = yield* TokenServer.make(settings)
    const entry = signedEntry(server.url, options)
    const connection = yield* open(entry)
    assert.isTrue(yield* connection.signIn(local))
    forgetSeen(server)
    return { server, entry, connection }
  })

/** The question what the server wants goes before a sign-in, without a token. */
export const forgetSeen = ({ seen }: TokenServer.TokenServer): void => void seen.splice(0)

/** The record of a sign-in, and where it is kept. */
export const stored = (entry: ReturnType<typeof signedEntry>, url: string) =>
  Effect.gen(function* () {
    const store = yield* SecretStore
    const key = TokenRecord.keyOf(entry.name, new URL(url), local.principal)
    return { key, record: Option.getOrUndefined(yield* TokenRecord.decode(yield* store.get(key))) }
  })
