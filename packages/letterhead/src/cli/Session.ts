/** The session of one invocation: one run of the command is one conversation, unless the person names another. */
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { randomUUID } from "node:crypto"

export const flag = Flag.String("session").pipe(
  Flag.withMetavar("ID"),
  Flag.withDescription("The conversation the call belongs to; by default each run is one of its own"),
  Flag.optional
)

/** The call context of this run. */
export const context = (session: Option.Option<string>): Effect.Effect<CallContext & { readonly sessionId: string }> =>
  Effect.sync(() => ({ ...local, sessionId: Option.getOrElse(session, randomUUID) }))
