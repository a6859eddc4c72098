/**
 * Something that yields header fields for a server.
 *
 * A source knows no other source; the resolver alone knows the order. To add one, write a file that makes a
 * `HeaderSource` and put it into the list in `HeaderSources.ts`.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CallContext } from "../call/CallContext.ts"
import type { HeaderError } from "../headers/HeaderError.ts"
import type { HeaderPatch } from "../headers/HeaderPatch.ts"
import { none, type ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
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

/** What the sources below yielded; merged when it is asked for. */
export type SoFar = () => Exit.Exit<ResolvedHeaders, HeaderError>

/** Nothing was yielded. */
export const nothingSoFar: SoFar = () => Exit.succeed(none)

export interface HeaderSource {
  /** Unique in the list; appears in provenance and errors. */
  readonly id: string
  /** Higher wins; see {@link Rank}. */
  readonly rank: number
  /** `connection`: asked at connect and reconnect, kept in between. `call`: asked for each call. */
  readonly lifetime: "connection" | "call"
  /**
   * Whether the source can ever have something to say for an entry; asked once per connection. Default: it can.
   *
   * Where it cannot, it takes no part, and costs the calls of the connection nothing.
   */
  readonly applies?: (entry: ServerEntry) => boolean
  /**
   * A field whose value others supply where they can: the source is not asked where the sources that rank below hook,
   * lower and higher ones, come to a value for it. Only with lifetime `call`. Default: it is always asked.
   *
   * Of a refusal that concerns no source's Authorization such a source is told after all others, and where one of them
   * had something new, once that was refused too.
   */
  readonly standsBackFor?: string
  /**
   * The fields for a call; `soFar` gives what the sources below yielded, for a hook. `before` is what the same call was
   * sent with, where this is for a retry or the resumption of its stream: a source that is to be asked once per call
   * gives `before.patchOf(id)` again.
   *
   * A source that can answer at once returns an `Exit`, such as `Exit.succeed(patch)` or `Effect.succeed(patch)`: it is
   * read on the spot. Any other effect is run and awaited, which costs the call a fiber. What has nothing to say is best
   * one and the same empty patch. With lifetime `connection`, `generation` is left 0: the resolver counts.
   */
  readonly resolve: (
    entry: ServerEntry,
    call: CallContext,
    soFar: SoFar,
    before?: ResolvedHeaders
  ) => Effect.Effect<HeaderPatch, HeaderError>
  /**
   * Asked once when the server refused what was sent: whether asking `resolve` again can yield something new.
   *
   * Absent where the source has nothing to renew. A 403 about scope reaches only a source that can sign in.
   */
  readonly challenge?: (
    entry: ServerEntry,
    call: CallContext,
    sent: ResolvedHeaders,
    response: ChallengeResponse
  ) => Effect.Effect<boolean, HeaderError>
  /**
   * Signs `owner` in at the server, with the person's help where it needs that, so that `resolve` has something to give.
   * Run where a connection is made and where a person asks for it, never inside a request.
   */
  readonly signIn?: (entry: ServerEntry, owner: CallContext) => Effect.Effect<void, HeaderError>
}
