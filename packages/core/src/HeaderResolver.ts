/** The one place that knows the order of the sources. (make and layer follow) */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CallContext } from "./call/CallContext.ts"
import type { HeaderError } from "./headers/HeaderError.ts"
import type { Provenance, ResolvedHeaders } from "./headers/ResolvedHeaders.ts"
import type { ServerEntry } from "./server/ServerEntry.ts"
import type { ChallengeResponse } from "./sources/HeaderSource.ts"

/** The headers of one connection: of one server, for one principal. */
export interface ConnectionHeaders {
  /** The absolute URL of the server, with its template evaluated. Headers go to its origin and nowhere else. */
  readonly url: URL
  /** The headers of one request; renews what has expired. */
  readonly resolve: (call: CallContext) => Effect.Effect<ResolvedHeaders, HeaderError>
  /** What to do about a refusal: send once more with what `resolve` gives now, or leave it to the caller. */
  readonly challenge: (
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<"retry" | "give up", HeaderError>
}

export class HeaderResolver extends Context.Service<
  HeaderResolver,
  {
    /** Asks the sources with lifetime `connection` and keeps their answers until the scope closes. */
    readonly open: (
      entry: ServerEntry,
      owner: CallContext
    ) => Effect.Effect<ConnectionHeaders, HeaderError, Scope.Scope>
    /** Every field that would be sent or is left out, and why. Sends nothing. */
    readonly explain: (entry: ServerEntry, call: CallContext) => Effect.Effect<ReadonlyArray<Provenance>, HeaderError>
  }
>()("@letterhead/core/HeaderResolver") {}
