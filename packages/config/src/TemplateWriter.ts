/** Writes a template as the native form has it, whichever dialect it was read from. */
import { parse, type Template, type TemplatePart } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"

/** The native text that makes the same parts; fails, with a half sentence, where there is none. */
export const write = (template: Template): Result.Result<string, string> => {
  // What means the same as it stands is left as somebody wrote it.
  for (const text of [template.source, template.parts.map(writePart).join("")]) {
    const read = parse(text)
    if (Result.isSuccess(read) && isSame(read.success.parts, template.parts)) return Result.succeed(text)
  }
  return Result.fail("holds text that the native form would take for a variable or a file; write it in another way")
}

const writePart = (part: TemplatePart): string => {
  if (part._tag === "Text") return escape(part.text)
  if (part._tag === "File") return `{file:${escape(part.path)}}`
  return part.fallback === undefined ? `\${${part.name}}` : `\${${part.name}:-${escape(part.fallback)}}`
}

const escape = (text: string): string => text.replaceAll("$", "$$$$")

const isSame = (a: ReadonlyArray<TemplatePart>, b: ReadonlyArray<TemplatePart>): boolean =>
  JSON.stringify(joined(a)) === JSON.stringify(joined(b))

/** Parts in a form in which those that make the same text look the same. */
const joined = (parts: ReadonlyArray<TemplatePart>): ReadonlyArray<ReadonlyArray<string | undefined>> => {
  const result: Array<ReadonlyArray<string | undefined>> = []
  for (const part of parts) {
    const last = result.at(-1)
    if (part._tag === "File") result.push(["file", part.path])
    else if (part._tag === "Variable") result.push(["variable", part.name, part.fallback])
    else if (last?.[0] === "text") result.splice(-1, 1, ["text", `${last[1] ?? ""}${part.text}`])
    else if (part.text !== "") result.push(["text", part.text])
  }
  return result
}
