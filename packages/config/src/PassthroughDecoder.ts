/**
 * Makes the headers that an entry lets through from the request that the runtime serves.
 *
 * Both names, the incoming and the one it is sent under, are checked: what the protocol owns is never let through, and
 * Authorization, Cookie and Proxy-Authorization only where the entry says `credential: true`. Names compare without
 * regard to case and to `_` against `-`, which many programs take for the same; a name that is listed twice is refused.
 */
import { foldIncoming } from "@letterhead/core/call/IncomingHeaders"
import { FIELD_COUNT_LIMIT, isProtocolOwned, nameDefect } from "@letterhead/core/headers/HeaderField"
import { ValueInvalid } from "@letterhead/core/server/ConfigError"
import { formatPlace, type PassthroughHeader } from "@letterhead/core/server/ServerEntry"
import { CREDENTIAL_NAMES } from "@letterhead/core/sources/PassthroughRules"
import * as Result from "effect/Result"
import { type DocumentPath, showKey } from "./Document.ts"
import type { EntryContext } from "./EntryContext.ts"
import type { PassthroughForm } from "./ServerForm.ts"

export const decode = (
  written: PassthroughForm | undefined,
  context: EntryContext
): Result.Result<ReadonlyArray<PassthroughHeader>, ValueInvalid> =>
  Result.gen(function* () {
    const headers: Array<PassthroughHeader> = []
    for (const [index, item] of (written ?? []).entries()) {
      const path = context.locate(["passthroughHeaders", index])
      const form = typeof item === "string" ? { name: item } : item
      const header: PassthroughHeader = {
        name: form.name,
        as: form.as ?? form.name,
        required: form.required ?? false,
        credential: form.credential ?? false,
        override: form.override ?? false,
        place: context.document.place(path)
      }
      yield* checkName(header.name, typeof item === "string" ? path : [...path, "name"], header, context)
      if (form.as !== undefined) yield* checkName(form.as, [...path, "as"], header, context)
      yield* checkTwin(header, headers)
      headers.push(header)
    }
    if (headers.length > FIELD_COUNT_LIMIT) {
      return yield* Result.fail(
        new ValueInvalid({
          place: context.document.place(context.locate(["passthroughHeaders"]), "key"),
          expected: `at most ${FIELD_COUNT_LIMIT} headers`
        })
      )
    }
    return headers
  })

const checkName = (
  name: string,
  path: DocumentPath,
  header: PassthroughHeader,
  context: EntryContext
): Result.Result<void, ValueInvalid> => {
  const invalid = (expected: string, remedy?: string) =>
    Result.fail(
      new ValueInvalid({ place: context.document.place(path), expected, ...(remedy === undefined ? {} : { remedy }) })
    )
  const defect = nameDefect(name)
  if (defect !== undefined) return invalid(`the name of a header: ${defect}`)
  const folded = foldIncoming(name)
  if (CREDENTIAL_NAMES.has(folded)) {
    return header.credential
      ? Result.succeed(undefined)
      : invalid(
          `"credential": true beside ${showKey(name)}`,
          "this header is a credential of whoever calls the runtime; add it only where this server may have it"
        )
  }
  return isProtocolOwned(folded)
    ? invalid("a header that may be let through", `${showKey(name)} belongs to the protocol; remove it`)
    : Result.succeed(undefined)
}

const checkTwin = (
  header: PassthroughHeader,
  earlier: ReadonlyArray<PassthroughHeader>
): Result.Result<void, ValueInvalid> => {
  const twin = earlier.find(
    (other) =>
      foldIncoming(other.name) === foldIncoming(header.name) || foldIncoming(other.as) === foldIncoming(header.as)
  )
  return twin === undefined
    ? Result.succeed(undefined)
    : Result.fail(
        new ValueInvalid({
          place: header.place,
          expected: `each header once: names compare without regard to case, and "_" as "-"`,
          remedy: `keep this one or the one at ${formatPlace(twin.place)}`
        })
      )
}
