/**
 * What shows the server that whoever sends an Authorization holds the key it is bound to: fields made for one request,
 * such as the `DPoP` of RFC 9449.
 *
 * A source puts it into the patch of that Authorization. It is asked just before each request is written, and told how
 * the server answered. What it proves belongs to that Authorization: where another wins, it is not asked.
 */
import type * as Effect from "effect/Effect"
import type { HeaderError } from "./HeaderError.ts"
import type { SetField } from "./HeaderPatch.ts"

/** The one request that is about to be written. */
export interface ProvenRequest {
  readonly method: string
  readonly url: URL
}

/** The server's answer to it. */
export interface ProofAnswer {
  readonly status: number
  /** The value of a field, by name in lower case. */
  readonly field: (name: string) => string | undefined
}

export interface RequestProof {
  /** The fields for a request, made anew each time: they are never sent twice. */
  readonly prove: (request: ProvenRequest) => Effect.Effect<ReadonlyArray<SetField>, HeaderError>
  /**
   * Told of each answer; whether it refuses nothing but the proof, and one that is made now may be taken. The request is
   * then sent again, once.
   */
  readonly answered: (request: ProvenRequest, answer: ProofAnswer) => boolean
}
