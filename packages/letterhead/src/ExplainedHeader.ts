/**
 * A header of a call as it is told to a person or a machine: what is sent, masked, where it comes from, and why.
 */
import type { Provenance, Statement } from "@letterhead/core/headers/ResolvedHeaders"
import { mask, withoutValues } from "./MaskedValue.ts"

export interface ExplainedHeader {
  readonly name: string
  readonly sent: boolean
  /** The mask of the value; absent where nothing is sent. */
  readonly value?: string
  /** Why this value won, or why nothing is sent: a part of a sentence. */
  readonly why: string
  /** The source: static, credential, oauth, helper, passthrough, hook, or one of the runtime's own. */
  readonly source: string
  /** A place in a file, a command, or a module. */
  readonly declared: string
  /** What lost, highest first. */
  readonly shadowed: ReadonlyArray<Statement>
}

/** What is said of the headers, without any of their values in it. */
export const explain = (headers: ReadonlyArray<Provenance>): ReadonlyArray<ExplainedHeader> =>
  withoutSecrets(headers).map((field) => ({
    name: field.name,
    ...(field.value === undefined ? { sent: false } : { sent: true, value: mask(field.value) }),
    why: whyOf(field),
    source: field.source,
    declared: field.declared,
    shadowed: field.shadowed
  }))

/** The same headers; no declaration, such as the command of a helper, holds a value that came of it. */
export const withoutSecrets = (headers: ReadonlyArray<Provenance>): ReadonlyArray<Provenance> => {
  const values = headers.flatMap(({ value }) => (value === undefined ? [] : [value]))
  return headers.map((field) => ({
    ...field,
    declared: withoutValues(field.declared, values),
    shadowed: field.shadowed.map((shadow) => ({ ...shadow, declared: withoutValues(shadow.declared, values) }))
  }))
}

/** Why a header has the value it has, or is not sent. */
export const whyOf = (field: Provenance): string =>
  field.value === undefined ? (field.notSent ?? "it has no value") : (field.won ?? "nothing else sets it")
