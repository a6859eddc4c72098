/** How a credential field of a server stands: where its value belongs, and whether there is one. Never the value. */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import type { CredentialField, ServerEntry } from "@letterhead/core/server/ServerEntry"
import { keyOf } from "@letterhead/core/sources/CredentialSource"
import * as Effect from "effect/Effect"
import { CliFailure } from "./CliFailure.ts"
import { printableLine } from "./Printable.ts"

/** `unknown`: the URL is not known before the entry is approved, or the store cannot be read. */
export type CredentialState = "set" | "default" | "not set" | "unknown"

/** The secret of a field of the person who runs the command. */
export const ownKey = (entry: ServerEntry, field: string) => keyOf(entry, LOCAL_PRINCIPAL, field)

/** All fields of an entry, or the one that is named; fails where there is none. */
export const fieldsNamed = (
  entry: ServerEntry,
  name: string | undefined
): Effect.Effect<ReadonlyArray<CredentialField>, CliFailure> => {
  const server = printableLine(entry.name)
  if (entry.credentials.length === 0) {
    return new CliFailure({
      code: "CredentialUnknown",
      message: `"${server}" has no credentials to fill in; a server names them under "userConfig"`
    })
  }
  if (name === undefined) return Effect.succeed(entry.credentials)
  const fields = entry.credentials.filter((field) => field.name === name)
  if (fields.length > 0) return Effect.succeed(fields)
  const known = entry.credentials.map((field) => printableLine(field.name)).join(", ")
  return new CliFailure({
    code: "CredentialUnknown",
    message: `"${server}" has no credential "${printableLine(name)}"; it has: ${known}`
  })
}
