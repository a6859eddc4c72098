/** A secret as it is kept: whose it is, how new it is, and either the value, the place that has it, or its removal. */
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { SecretKey } from "./SecretKey.ts"

export interface SecretRecord {
  readonly key: SecretKey
  /**
   * Grows with every change, whoever makes it: where two places hold one secret, the greater one counts. It is the time
   * of the change in epoch milliseconds, or one more than the last where that is later.
   */
  readonly generation: number
  readonly content: SecretContent
}

export type SecretContent =
  | { readonly _tag: "Value"; readonly value: Redacted.Redacted }
  /** Another store has the value; named for people, such as `keychain`. */
  | { readonly _tag: "Elsewhere"; readonly keptIn: string }
  /** Values of older generations that another store still has do not count. */
  | { readonly _tag: "Removed" }

/** The generation of a change that happens now. */
export const nextGeneration = (current: Option.Option<SecretRecord>, now: number): number =>
  Math.max(now, Option.match(current, { onNone: () => 0, onSome: ({ generation }) => generation + 1 }))

/** The record that counts; of two equal generations the first. */
export const newest = (
  first: Option.Option<SecretRecord>,
  second: Option.Option<SecretRecord>
): Option.Option<SecretRecord> => {
  if (Option.isNone(first)) return second
  if (Option.isNone(second)) return first
  return second.value.generation > first.value.generation ? second : first
}
