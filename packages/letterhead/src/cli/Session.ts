/** The session of one invocation: one run of the command is one conversation, unless the person names another. */
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

export const flag = Flag.String("session").pipe(
  Flag.withMetavar("ID"),
  Flag.withDescription("The conversation the call belongs to; by default each run is one of its own"),
  Flag.optional
)

/** Words of 32 bits in a session's id: no two runs have one. It is a name and no secret, so no cryptography is loaded. */
const WORDS = 4
const WORD_LIMIT = 0x1_0000_0000

const newId: Effect.Effect<string> = Effect.map(Effect.all(Array.from({ length: WORDS }, () => Random.next)), (words) =>
  words
    .map((word) =>
      Math.floor(word * WORD_LIMIT)
        .toString(16)
        .padStart(8, "0")
    )
    .join("")
)

/** The call context of this run. */
export const context = (session: Option.Option<string>): Effect.Effect<CallContext & { readonly sessionId: string }> =>
  Effect.map(Option.match(session, { onNone: () => newId, onSome: Effect.succeed }), (sessionId) => ({
    ...local,
    sessionId
  }))
