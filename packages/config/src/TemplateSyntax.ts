/**
 * How dialects other than the native one write variables. Whatever is not one of the marks of a dialect is text there:
 * nobody who wrote `$$` or `{file:…}` for a program that takes it literally finds it changed.
 */
import type { Template, TemplatePart } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"

/** `${VAR}` and `${VAR:-default}`, as Claude Code and OpenHarness have them. */
export const shell = (source: string): Result.Result<Template, string> =>
  read(source, SHELL_VARIABLE, ([, body = ""]) => {
    if (body.includes("${")) return Result.fail("a variable within a variable is not supported")
    const separator = body.indexOf(":-")
    const name = separator === -1 ? body : body.slice(0, separator)
    if (!VARIABLE_NAME.test(name)) return Result.fail(`"\${…}" must name a variable of letters, digits and underscores`)
    return Result.succeed(
      separator === -1 ? { _tag: "Variable", name } : { _tag: "Variable", name, fallback: body.slice(separator + 2) }
    )
  })

/** `{env:VAR}` and `{file:path}`, as OpenCode has them. */
export const braces = (source: string): Result.Result<Template, string> =>
  read(source, BRACED, ([, kind, body = ""]) => {
    if (kind === "file") {
      return body.trim().length === 0
        ? Result.fail(`"{file:}" names no file`)
        : Result.succeed({ _tag: "File", path: body.trim() })
    }
    return VARIABLE_NAME.test(body)
      ? Result.succeed({ _tag: "Variable", name: body })
      : Result.fail(`"{env:…}" must name a variable of letters, digits and underscores`)
  })

const SHELL_VARIABLE = /\$\{([^}]*)\}/g
const BRACED = /\{(env|file):([^}]*)\}/g
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

const read = (
  source: string,
  mark: RegExp,
  part: (match: RegExpExecArray) => Result.Result<TemplatePart, string>
): Result.Result<Template, string> =>
  Result.gen(function* () {
    const parts: Array<TemplatePart> = []
    let position = 0
    const text = (end: number) => {
      if (end > position) parts.push({ _tag: "Text", text: source.slice(position, end) })
    }
    for (const match of source.matchAll(mark)) {
      text(match.index)
      position = match.index + match[0].length
      parts.push(yield* part(match))
    }
    text(source.length)
    return { source, parts }
  })
