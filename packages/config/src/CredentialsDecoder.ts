/**
 * Makes the fields that a person fills in once, of what an entry says under `userConfig`.
 *
 * `access_token` and `raw_access_token` are sent as Authorization, the former with `Bearer ` before it, and count as
 * sensitive, unless they say otherwise. A sensitive field has no default: it would be a secret in the file. Two fields
 * never share a header. A field that names no header is kept out; {@link withoutHeader} lists those.
 */
import { foldName } from "@letterhead/core/headers/HeaderField"
import { setField } from "@letterhead/core/headers/HeaderPatch"
import { ValueInvalid } from "@letterhead/core/server/ConfigError"
import { type CredentialField, formatPlace } from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import { isUnprintable, showKey } from "./Document.ts"
import type { EntryContext } from "./EntryContext.ts"
import type { UserConfigForm } from "./ServerForm.ts"

export const decode = (
  written: UserConfigForm | undefined,
  context: EntryContext
): Result.Result<ReadonlyArray<CredentialField>, ValueInvalid> =>
  Result.gen(function* () {
    const fields = new Map<string, CredentialField>()
    for (const [name, form] of Object.entries(written ?? {})) {
      const field = yield* decodeField(name, form, context)
      if (field === undefined) continue
      const twin = fields.get(foldName(field.headerName))
      if (twin !== undefined) {
        return yield* Result.fail(
          new ValueInvalid({
            place: field.place,
            expected: "a header of its own for each field: names compare without regard to case",
            remedy: `${field.headerName} is taken by ${showKey(twin.name)} at ${formatPlace(twin.place)}`
          })
        )
      }
      fields.set(foldName(field.headerName), field)
    }
    return [...fields.values()]
  })

/** The names of the fields that name no header, and are sent nowhere. */
export const withoutHeader = (written: UserConfigForm | undefined): ReadonlyArray<string> =>
  Object.entries(written ?? {}).flatMap(([name, form]) => (headerOf(name, form) === undefined ? [name] : []))

type FieldForm = UserConfigForm[string]

/** What a field is without saying so. */
interface Conventional {
  readonly headerName: string
  readonly valuePrefix: string
}

const CONVENTIONS: ReadonlyMap<string, Conventional> = new Map([
  ["access_token", { headerName: "Authorization", valuePrefix: "Bearer " }],
  ["raw_access_token", { headerName: "Authorization", valuePrefix: "" }]
])

const headerOf = (name: string, form: FieldForm): Conventional | undefined => {
  if (form.headerName !== undefined) return { headerName: form.headerName, valuePrefix: form.valuePrefix ?? "" }
  const conventional = CONVENTIONS.get(name)
  return conventional === undefined
    ? undefined
    : { ...conventional, valuePrefix: form.valuePrefix ?? conventional.valuePrefix }
}

/** Stands for a value that is not known yet, so that name and prefix are checked all the same. */
const UNKNOWN_VALUE = "-"

const decodeField = (
  name: string,
  form: FieldForm,
  context: EntryContext
): Result.Result<CredentialField | undefined, ValueInvalid> => {
  const path = context.locate(["userConfig", name])
  const place = context.document.place(path, "key")
  const invalid = (expected: string, key?: string, remedy?: string) =>
    Result.fail(
      new ValueInvalid({
        place: key === undefined ? place : context.document.place([...path, key]),
        expected,
        ...(remedy === undefined ? {} : { remedy })
      })
    )
  if (name.trim().length === 0 || isUnprintable(name)) return invalid("a name of visible characters for the field")
  const header = headerOf(name, form)
  if (header === undefined) return Result.succeed(undefined)
  const sensitive = form.sensitive ?? CONVENTIONS.has(name)
  const preset = form.default === undefined ? undefined : String(form.default)
  if (sensitive && preset !== undefined) {
    return invalid(
      "no default for a sensitive field",
      "default",
      "it would be a secret in this file; remove it, and set the value with `letterhead credential set`"
    )
  }
  const checked = setField(header.headerName, header.valuePrefix + (preset || UNKNOWN_VALUE), name)
  if (Result.isFailure(checked)) {
    return checked.failure._tag === "HeaderForbidden"
      ? invalid(
          "a header that an entry may set",
          "headerName",
          `"${header.headerName}" belongs to the protocol; name another`
        )
      : invalid(`a header that can be sent: ${checked.failure.rule}`, "headerName")
  }
  return Result.succeed({
    name,
    title: form.title ?? name,
    ...(form.description === undefined ? {} : { description: form.description }),
    ...header,
    required: form.required ?? false,
    sensitive,
    ...(preset === undefined ? {} : { default: preset }),
    place
  })
}
