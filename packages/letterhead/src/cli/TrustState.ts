/** How an entry stands with the person's approvals. Reads files; runs and sends nothing. */
import { needsApproval, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import { needsTrust } from "@letterhead/core/trust/TrustGate"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import * as Effect from "effect/Effect"

export type TrustState = "own" | "not needed" | "approved" | "changed" | "unapproved" | "refused"

/** `refused`: not in a state to be approved; approving says why. */
export const trustState = Effect.fnUntraced(function* (entry: ServerEntry) {
  if (!needsApproval(entry.origin)) return "own"
  if (!needsTrust(entry)) return "not needed"
  const store = yield* TrustStore
  return yield* Effect.gen(function* () {
    const subject = yield* TrustSubject.make(entry)
    const decision = yield* store.check(subject)
    return words[decision._tag]
  }).pipe(
    // A list shows what it can; approving says why not.
    Effect.catchTag("HeaderError", () => Effect.succeed("refused" as const))
  )
})

const words = { Approved: "approved", Changed: "changed", NeverApproved: "unapproved" } as const
