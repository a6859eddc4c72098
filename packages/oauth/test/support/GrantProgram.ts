/** Entries whose grant needs no person, and a program in which nobody can be asked. */
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import { entry as entryFixture, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { CANARY } from "./GrantServer.ts"
import { layer } from "./Signing.ts"

/** One program in which nobody can be asked. */
export const program = () => layer({ signIn: layerNever })

/** One that gets its token by client credentials, unless it says otherwise. */
export const entryOf = (url: string, options: EntryOptions = {}) =>
  entryFixture({
    url,
    auth: "oauth",
    ...options,
    oauth: { clientId: "workload", clientSecret: CANARY, grant: { type: "client_credentials" }, ...options.oauth }
  })

/** Why something fails. */
export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)
