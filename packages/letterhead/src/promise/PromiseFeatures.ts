/** What a runtime without Effect does for its servers: see `ClientFeatures`. */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { type ClientFeatures, FeatureRefused } from "@letterhead/mcp/ClientFeatures"
import * as Effect from "effect/Effect"

/** For whom a server asks: the call, or the connection where the server does not say. */
export interface Asker {
  readonly principal: string
  readonly session?: string
}

type Handler<Name extends "elicitation" | "sampling"> = NonNullable<ClientFeatures[Name]>
type Params<Name extends "elicitation" | "sampling"> = Parameters<Handler<Name>>[0]
type Answer<Name extends "elicitation" | "sampling"> = Effect.Success<ReturnType<Handler<Name>>>
type Roots = Effect.Success<NonNullable<ClientFeatures["roots"]>>

/** A capability is announced where there is a handler for it. One that rejects fails the question, without its reason. */
export interface PromiseFeatures extends Pick<ClientFeatures, "logLevel"> {
  /** Asks the user; one who says no is an answer: `{ action: "decline" }`. */
  readonly elicitation?: (params: Params<"elicitation">, asker: Asker) => Promise<Answer<"elicitation">>
  /** Asks the model. */
  readonly sampling?: (params: Params<"sampling">, asker: Asker) => Promise<Answer<"sampling">>
  /** The folders and files that a server may work on. */
  readonly roots?: (asker: Asker) => Promise<Roots>
}

/** The same as effects. */
export const clientFeatures = ({ elicitation, logLevel, roots, sampling }: PromiseFeatures): ClientFeatures => ({
  ...(logLevel === undefined ? {} : { logLevel }),
  ...(elicitation === undefined ? {} : { elicitation: (params) => answered((asker) => elicitation(params, asker)) }),
  ...(sampling === undefined ? {} : { sampling: (params) => answered((asker) => sampling(params, asker)) }),
  ...(roots === undefined ? {} : { roots: answered(roots) })
})

const answered = <A>(answer: (asker: Asker) => Promise<A>): Effect.Effect<A, FeatureRefused> =>
  Effect.flatMap(CurrentCall, ({ principal, sessionId }) =>
    Effect.tryPromise({
      try: () => answer(sessionId === undefined ? { principal } : { principal, session: sessionId }),
      // What it says is the runtime's own, and the server would read it.
      catch: () => new FeatureRefused({ description: "the client could not answer" })
    })
  )
