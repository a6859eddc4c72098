/**
 * The gate before a process is spawned, a module loaded or a value read for an entry (design rule 7).
 * (the layer follows)
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { HeaderError } from "../headers/HeaderError.ts"
import type { ServerEntry } from "../server/ServerEntry.ts"

/** Leave to run or read what the entry says. */
export interface Permit {
  /** Credential-like variables the person lets the helper have, beyond what the entry's `passEnv` names. */
  readonly passEnv: ReadonlyArray<string>
  /** Reads the covered files again; fails with FileChanged where one is no longer what was approved. */
  readonly verify: Effect.Effect<void, HeaderError>
}

export class TrustGate extends Context.Service<
  TrustGate,
  {
    /** A permit for `entry`; fails with NotTrusted or TrustRefused. `user` and `managed` entries always have one. */
    readonly require: (entry: ServerEntry) => Effect.Effect<Permit, HeaderError>
  }
>()("@letterhead/core/trust/TrustGate") {}
