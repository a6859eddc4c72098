/** The person's approvals, by trust subject and digest. (layers follow) */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { HeaderError } from "../headers/HeaderError.ts"
import type { TrustSubject } from "./TrustSubject.ts"

/** What a person approved, as it was then. */
export interface Approval {
  readonly subject: TrustSubject
  /** Epoch milliseconds. */
  readonly approvedAt: number
  /** Credential-like variables the person lets the helper have, beyond what the entry's `passEnv` names. */
  readonly passEnv: ReadonlyArray<string>
}

/** Approvals are kept one per server of a configuration. */
export interface ApprovalKey {
  readonly configuration: string
  readonly server: string
}

export type TrustDecision =
  | { readonly _tag: "Approved"; readonly approval: Approval }
  | { readonly _tag: "NeverApproved" }
  /** Approved once, with another digest. */
  | { readonly _tag: "Changed"; readonly approval: Approval }

export class TrustStore extends Context.Service<
  TrustStore,
  {
    readonly check: (subject: TrustSubject) => Effect.Effect<TrustDecision, HeaderError>
    readonly approve: (
      subject: TrustSubject,
      options?: { readonly passEnv?: ReadonlyArray<string> }
    ) => Effect.Effect<Approval, HeaderError>
    /** Whether there was an approval to take back. */
    readonly revoke: (key: ApprovalKey) => Effect.Effect<boolean, HeaderError>
    readonly list: Effect.Effect<ReadonlyArray<Approval>, HeaderError>
  }
>()("@letterhead/core/trust/TrustStore") {}
