/** What a helper printed, read as the contract says. (the parser follows) */
import type * as Redacted from "effect/Redacted"

export interface HelperOutput {
  /** In the order the helper printed them; names are checked, values are valid field values. */
  readonly headers: ReadonlyArray<readonly [name: string, value: Redacted.Redacted]>
  /** Epoch milliseconds, where the helper named a time. */
  readonly expires?: number
  /** True where `expires` had already passed: use once, warn, do not keep. */
  readonly expired: boolean
}
