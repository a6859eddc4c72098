/** What proves to the server the key of the Authorization that is sent, for one request. */
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type * as Effect from "effect/Effect"
import type { HttpRequest } from "./HttpRequest.ts"
import type { HttpResponse } from "./HttpResponse.ts"

export interface Proof {
  /** The headers with what was made for this request. */
  readonly headers: Effect.Effect<ResolvedHeaders, HeaderError>
  /** Whether nothing but the proof is refused; told of each answer. */
  readonly isRefused: (answer: HttpResponse) => boolean
}

/** None where the Authorization needs none, or is the caller's own: nothing of ours goes with that. */
export const of = (given: ResolvedHeaders, { headers, method }: HttpRequest, url: URL): Proof | undefined => {
  const { proof } = given
  if (proof === undefined || headers.get("authorization") != null) return undefined
  return { headers: given.proven({ method, url }), isRefused: (answer) => proof.answered({ method, url }, answer) }
}
