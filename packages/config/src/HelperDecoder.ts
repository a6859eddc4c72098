/** Makes a {@link Helper} of what an entry says under `headersHelper`; a string is a command for the shell. */
import type { ValueInvalid, VariableUnset } from "@letterhead/core/server/ConfigError"
import { type Helper, HELPER_TIMEOUT_DEFAULT } from "@letterhead/core/server/ServerEntry"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import type { DocumentPath } from "./Document.ts"
import * as Interpolation from "./Interpolation.ts"
import type { EntryContext } from "./EntryContext.ts"
import { type HelperForm, RETRY_DELAY_DEFAULT } from "./ServerForm.ts"

export const decode = (
  written: string | HelperForm,
  context: EntryContext
): Result.Result<Helper, ValueInvalid | VariableUnset> => {
  const path = context.locate(["headersHelper"])
  const form: HelperForm = typeof written === "string" ? { command: written } : written
  return Result.map(variables(form.environment, [...path, "environment"], context), (environment) => ({
    command: form.command,
    environment,
    timeout: form.timeout ?? HELPER_TIMEOUT_DEFAULT,
    retry: { times: form.retry?.times ?? 0, delay: form.retry?.delay ?? RETRY_DELAY_DEFAULT },
    passEnv: form.passEnv ?? [],
    cache: form.cache ?? "never",
    onFailure: form.onFailure ?? "fail",
    ...(form.files === undefined ? {} : { files: form.files }),
    place: context.document.place(path, "key")
  }))
}

/** Variables of a process, as templates; what they make is checked for what no process can be given. */
export const variables = (
  written: Readonly<Record<string, string>> | undefined,
  path: DocumentPath,
  context: EntryContext
): Result.Result<ReadonlyMap<string, Template>, ValueInvalid | VariableUnset> =>
  Result.gen(function* () {
    const templates = new Map<string, Template>()
    for (const [name, source] of Object.entries(written ?? {})) {
      const checked = yield* Interpolation.check(source, { ...context, path: [...path, name] })
      if (checked.text?.includes("\0") === true) {
        return yield* Interpolation.refuse("a value without NUL characters", checked.template, {
          ...context,
          path: [...path, name]
        })
      }
      templates.set(name, checked.template)
    }
    return templates
  })
