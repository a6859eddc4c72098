/**
 * Templates of a document, checked as far as that is possible at load: the syntax always, variables against the
 * environment, and the text a template makes where it is known already. Files are read at connect, not here.
 *
 * Messages name the variable and the rule, never a value.
 */
import { ValueInvalid, VariableUnset } from "@letterhead/core/server/ConfigError"
import type { Environment } from "@letterhead/core/server/Environment"
import { missingVariables, readsOutside, type Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import type { Document, DocumentPath } from "./Document.ts"

/** How a dialect writes variables; fails with a sentence that never quotes the text. */
export type TemplateParser = (source: string) => Result.Result<Template, string>

export interface CheckedTemplate {
  readonly template: Template
  /** What it makes now; `undefined` where it names a file, or variables that nobody asked for. */
  readonly text: string | undefined
}

export const check = (
  source: string | Template,
  options: {
    readonly parse: TemplateParser
    readonly environment: Environment | undefined
    readonly document: Document
    readonly path: DocumentPath
  }
): Result.Result<CheckedTemplate, ValueInvalid | VariableUnset> =>
  Result.gen(function* () {
    const place = options.document.place(options.path)
    const template =
      typeof source === "string"
        ? yield* Result.mapError(
            options.parse(source),
            (rule) => new ValueInvalid({ place, expected: `a template that can be read: ${rule}` })
          )
        : source
    const { environment } = options
    if (environment === undefined) {
      return { template, text: readsOutside(template) ? undefined : evaluate(template, {}) }
    }
    const variable = missingVariables(template, environment)[0]
    if (variable !== undefined) return yield* Result.fail(new VariableUnset({ place, variable }))
    return { template, text: evaluate(template, environment) }
  })

/** Refuses the text of a template; the remedy names the variables it came from, never their values. */
export const refuse = (
  expected: string,
  template: Template,
  options: { readonly document: Document; readonly path: DocumentPath }
): Result.Result<never, ValueInvalid> => {
  const variables = [...new Set(template.parts.flatMap((part) => (part._tag === "Variable" ? [part.name] : [])))]
  return Result.fail(
    new ValueInvalid({
      place: options.document.place(options.path),
      expected,
      ...(variables.length === 0
        ? {}
        : { remedy: `part of it comes from the environment variable ${variables.join(", ")}; correct that` })
    })
  )
}

const evaluate = (template: Template, environment: Environment): string | undefined => {
  let text = ""
  for (const part of template.parts) {
    if (part._tag === "File") return undefined
    if (part._tag === "Text") text += part.text
    // What every object inherits is no variable.
    else text += (Object.hasOwn(environment, part.name) && environment[part.name]) || (part.fallback ?? "")
  }
  return text
}
