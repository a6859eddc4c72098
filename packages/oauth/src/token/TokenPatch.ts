/** What a token adds to a request: the `Authorization`, and the proof of its key where it is bound to one. */
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { Rank } from "@letterhead/core/sources/HeaderSource"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { ProofOf } from "../proof/DpopProof.ts"
import type { IssuedTokens } from "./TokenRecord.ts"

/** The source that it is a patch of. */
export const ID = "oauth"

export interface TokenPatchOptions {
  readonly generation: number
  /** How the token was had, such as `signed in at https://login.example.com`. */
  readonly had: string
  /** Where the entry says so. */
  readonly place: string
  /** Absent where no token is bound. */
  readonly proofOf?: ProofOf
}

/** Fails where the token cannot be in a header. */
export const make = (
  token: Pick<IssuedTokens, "accessToken" | "proofKey" | "tokenType">,
  { generation, had, place, proofOf }: TokenPatchOptions
): Result.Result<HeaderPatch.HeaderPatch, HeaderPatch.FieldDefect> => {
  const { accessToken, proofKey, tokenType } = token
  const proof = proofKey === undefined ? "" : ", with a proof for each request"
  const declared = `${had}${proof} · ${place}`
  return Result.map(
    HeaderPatch.setField("Authorization", `${tokenType} ${Redacted.value(accessToken)}`, declared),
    (field) => {
      const made = proofOf?.(token, declared)
      return {
        ...HeaderPatch.empty(ID, Rank.oauth),
        generation,
        set: [field],
        ...(made === undefined ? {} : { proof: made })
      }
    }
  )
}
