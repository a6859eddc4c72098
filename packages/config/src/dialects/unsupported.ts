/** Refuses what an entry asks for and this version cannot do, where leaving it out would lose headers. */
import { ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import type { Document, DocumentPath } from "../Document.ts"

/** The first of `keys` that the entry has, as a failure; `undefined` where it has none. */
export const refuseUnsupported = (
  document: Document,
  path: DocumentPath,
  keys: ReadonlyArray<string>
): Result.Result<never, ValueInvalid> | undefined => {
  const key = document.keys(path).find((candidate) => keys.includes(candidate))
  if (key === undefined) return undefined
  return Result.fail(
    new ValueInvalid({
      place: document.place([...path, key], "key"),
      expected: `no "${key}": it is not supported by this version, and without it headers would be missing`,
      remedy: `use "headers" or "headersHelper" instead, or remove it`
    })
  )
}
