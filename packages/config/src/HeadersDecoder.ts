/**
 * Makes the static headers of an entry: names and values are checked at load by the rules they are sent under, and a
 * name that is written twice in different case is refused, since only one of the two could be sent.
 *
 * A template that makes nothing is no error: the header is then not sent (design rule 3).
 */
import { FIELD_COUNT_LIMIT, foldName } from "@letterhead/core/headers/HeaderField"
import { setField } from "@letterhead/core/headers/HeaderPatch"
import { ValueInvalid, type VariableUnset } from "@letterhead/core/server/ConfigError"
import { formatPlace, type StaticHeader } from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import * as Interpolation from "./Interpolation.ts"
import type { EntryContext } from "./EntryContext.ts"
import type { ServerForm } from "./ServerForm.ts"

export const decode = (
  written: ServerForm["headers"],
  context: EntryContext
): Result.Result<ReadonlyArray<StaticHeader>, ValueInvalid | VariableUnset> =>
  Result.gen(function* () {
    const headers = new Map<string, StaticHeader>()
    for (const [name, source] of Object.entries(written ?? {})) {
      const path = context.locate(["headers", name])
      const place = context.document.place(path, "key")
      const twin = headers.get(foldName(name))
      if (twin !== undefined) {
        return yield* Result.fail(
          new ValueInvalid({
            place,
            expected: "each header once: names compare without regard to case",
            remedy: `keep this one or the one at ${formatPlace(twin.place)}`
          })
        )
      }
      const checked = yield* Interpolation.check(source, { ...context, path })
      const field = setField(name, checked.text || UNKNOWN_VALUE, formatPlace(place), place)
      if (Result.isFailure(field)) {
        if (field.failure._tag === "HeaderForbidden") {
          return yield* Result.fail(
            new ValueInvalid({
              place,
              expected: "a header that an entry may set",
              remedy: `"${name}" belongs to the protocol; remove it`
            })
          )
        }
        return yield* Interpolation.refuse(`a header that can be sent: ${field.failure.rule}`, checked.template, {
          ...context,
          path
        })
      }
      headers.set(foldName(name), { name, value: checked.template, place })
    }
    if (headers.size > FIELD_COUNT_LIMIT) {
      return yield* Result.fail(
        new ValueInvalid({
          place: context.document.place(context.locate(["headers"]), "key"),
          expected: `at most ${FIELD_COUNT_LIMIT} headers`
        })
      )
    }
    return [...headers.values()]
  })

/** Stands for a value that is not known yet, so that the name is checked all the same. */
const UNKNOWN_VALUE = "-"
