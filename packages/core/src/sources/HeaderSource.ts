/**
 * Something that yields header fields for a server.
 *
 * A source knows no other source; the resolver alone knows the order. To add one, write a file that makes a
 * `HeaderSource` and put it into the list in `HeaderSources.ts`.
 */
import type * as Effect from "effect/Effect"
import type { CallContext } from "../call/CallContext.ts"
import type { HeaderError } from "../headers/HeaderError.ts"
import type { HeaderPatch } from "../headers/HeaderPatch.ts"
import type { ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import type { ServerEntry } from "../server/ServerEntry.ts"

/** The order of precedence, low to high (design rule 1). What the protocol owns is above all and not a source. */
export const Rank = {
  passthrough: 100,
  static: 200,
  credential: 300,
  oauth: 400,
  helper: 500,
  passthroughOverride: 600,
  hook: 700
} as const

/** The server's answer to a request, as much of it as a challenge needs. */
export interface ChallengeResponse {
  readonly status: number
  /** The `WWW-Authenticate` field, where there is one. */
  readonly wwwAuthenticate?: string
}

export interface HeaderSource {
  /** Unique in the list; appears in provenance and errors. */
  readonly id: string
  /** Higher wins; see {@link Rank}. */
  readonly rank: number
  /** `connection`: asked at connect and reconnect, kept in between. `call`: asked for each call. */
  readonly lifetime: "connection" | "call"
  /**
   * The fields for a call; `soFar` holds what the sources below yielded, for a hook.
   *
   * `generation` is left 0: the resolver counts.
   */
  readonly resolve: (
    entry: ServerEntry,
    call: CallContext,
    soFar: ResolvedHeaders
  ) => Effect.Effect<HeaderPatch, HeaderError>
  /**
   * Asked once when the server refused what was sent: whether asking `resolve` again can yield something new.
   *
   * Absent where the source has nothing to renew.
   */
  readonly challenge?: (
    entry: ServerEntry,
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<boolean, HeaderError>
}
