/** What an entry asks for and its dialect or this version cannot do: refused where leaving it out would lose headers. */
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
  const own = Object.hasOwn(REFUSED_KEYS, key)
  return Result.fail(
    new ValueInvalid({
      place: document.place([...path, key], "key"),
      expected: own
        ? `no "${key}": this form has no such key, and without it headers would be missing`
        : `no "${key}": it is not supported by this version, and without it headers would be missing`,
      remedy: own
        ? "write this entry into a letterhead.json, or remove the key"
        : `use "headers" or "headersHelper" instead, or remove it`
    })
  )
}

/** Keys that Letterhead's own form has, and others lack. */
export const REFUSED_KEYS = { passthroughHeaders: true, userConfig: true } as const
