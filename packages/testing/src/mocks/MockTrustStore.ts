/** Trust stores without a file: core's own in memory, and one that has approved everything already. */
import { type Approval, TrustStore } from "@letterhead/core/trust/TrustStore"
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export { layerDenyAll, layerMemory } from "@letterhead/core/trust/TrustStore"

/** Every subject is approved, since the epoch; revoking does nothing. */
export const layerApproveAll: Layer.Layer<TrustStore> = Layer.succeed(TrustStore, {
  check: (subject) => Effect.succeed({ _tag: "Approved", approval: approvalOf(subject, []) }),
  approve: (subject, options) => Effect.succeed(approvalOf(subject, options?.passEnv ?? [])),
  revoke: () => Effect.succeed(false),
  list: Effect.succeed([])
})

const approvalOf = (subject: TrustSubject, passEnv: ReadonlyArray<string>): Approval => ({
  subject,
  approvedAt: 0,
  passEnv
})
