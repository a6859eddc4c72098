/**
 * Text with variables: `${VAR}`, `${VAR:-default}`, `{env:VAR}`, `{file:path}`; `$$` is a dollar sign.
 *
 * A template is read once and evaluated at each connect, so that a rotated variable or file is seen at the next one.
 * An empty variable counts as unset, as it does for the shell's `:-`.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { FileUnreadable, VariableMissing } from "../headers/HeaderError.ts"
import { Environment } from "./Environment.ts"
import type { Origin, Place } from "./ServerEntry.ts"

export type TemplatePart =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Variable"; readonly name: string; readonly fallback?: string }
  | { readonly _tag: "File"; readonly path: string }

export interface Template {
  /** As it was written; what a trust digest covers. */
  readonly source: string
  readonly parts: ReadonlyArray<TemplatePart>
}

/** Bytes of a file that `{file:path}` may name. */
export const FILE_LIMIT = 64 * 1024

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const MARK = /\$\$|\$\{|\{env:|\{file:/g
const NESTED = /\$\{|\{env:|\{file:/

/** Text that is taken as it is. */
export const literal = (text: string): Template => ({ source: text, parts: [{ _tag: "Text", text }] })

/** Reads a template; fails with a sentence that says what is wrong with it and never quotes it. */
export const parse = (source: string): Result.Result<Template, string> => {
  const parts: Array<TemplatePart> = []
  let text = ""
  let position = 0
  const flush = () => {
    if (text.length > 0) parts.push({ _tag: "Text", text })
    text = ""
  }
  for (const mark of source.matchAll(MARK)) {
    if (mark.index < position) continue
    text += source.slice(position, mark.index)
    position = mark.index + mark[0].length
    if (mark[0] === "$$") {
      text += "$"
      continue
    }
    const end = source.indexOf("}", position)
    if (end === -1) return Result.fail(`"${mark[0]}" is not closed by "}"`)
    const body = source.slice(position, end)
    position = end + 1
    flush()
    if (NESTED.test(body.replaceAll("$$", ""))) {
      return Result.fail("a variable or file within another is not supported")
    }
    if (mark[0] === "{file:") {
      if (body.trim().length === 0) return Result.fail(`"{file:}" names no file`)
      parts.push({ _tag: "File", path: dollars(body.trim()) })
      continue
    }
    const separator = mark[0] === "${" ? body.indexOf(":-") : -1
    const name = separator === -1 ? body : body.slice(0, separator)
    if (!VARIABLE_NAME.test(name)) {
      return Result.fail(`"${mark[0]}…}" must name a variable of letters, digits and underscores`)
    }
    parts.push(
      separator === -1
        ? { _tag: "Variable", name }
        : { _tag: "Variable", name, fallback: dollars(body.slice(separator + 2)) }
    )
  }
  text += source.slice(position)
  flush()
  return Result.succeed({ source, parts })
}

const dollars = (text: string): string => text.replaceAll("$$", "$")

/** Whether evaluating the template reads something from outside the entry's own text. */
export const readsOutside = (template: Template): boolean => template.parts.some((part) => part._tag !== "Text")

/** The variables without a default that are unset or empty in `environment`. */
export const missingVariables = (template: Template, environment: Environment): ReadonlyArray<string> =>
  template.parts.flatMap((part) =>
    part._tag === "Variable" && part.fallback === undefined && !lookUp(environment, part.name) ? [part.name] : []
  )

/** A variable of the environment itself; what every object inherits is none. */
const lookUp = (environment: Environment, name: string): string | undefined =>
  Object.hasOwn(environment, name) ? environment[name] : undefined

/**
 * The text the template makes now. `{file:path}` starts from the folder of the configuration file; one line break at
 * the end of the file is not part of the value.
 */
export const evaluate = Effect.fnUntraced(function* (
  template: Template,
  options: { readonly origin: Origin; readonly place: Place }
): Effect.fn.Return<string, VariableMissing | FileUnreadable, FileSystem.FileSystem | Path.Path> {
  const environment = yield* Environment
  let text = ""
  for (const part of template.parts) {
    switch (part._tag) {
      case "Text":
        text += part.text
        break
      case "Variable": {
        const value = lookUp(environment, part.name) || part.fallback
        if (value === undefined) {
          return yield* new VariableMissing({ variable: part.name, place: options.place })
        }
        text += value
        break
      }
      case "File":
        text += yield* readFile(part.path, options)
        break
    }
  }
  return text
})

const readFile = Effect.fnUntraced(function* (
  written: string,
  options: { readonly origin: Origin; readonly place: Place }
): Effect.fn.Return<string, FileUnreadable, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const file = yield* resolveFile(written, options)
  const unreadable = (description: string) => new FileUnreadable({ path: file, place: options.place, description })
  const info = yield* fs
    .stat(file)
    .pipe(
      Effect.mapError((error) =>
        unreadable(
          error.reason._tag === "NotFound" ? "does not exist; create it" : "cannot be read; check its permissions"
        )
      )
    )
  // A FIFO or a device would block, or never end.
  if (info.type !== "File") return yield* unreadable("is not a regular file")
  if (Number(info.size) > FILE_LIMIT) return yield* unreadable(`is larger than ${FILE_LIMIT} bytes`)
  // The size that is shown need not be what is read: files of a procfs say 0.
  const chunks = yield* fs.stream(file, { bytesToRead: FILE_LIMIT + 1 }).pipe(
    Stream.runCollect,
    Effect.mapError(() => unreadable("cannot be read; check its permissions"))
  )
  const decoder = new TextDecoder()
  const length = chunks.reduce((total, chunk) => total + chunk.length, 0)
  if (length > FILE_LIMIT) return yield* unreadable(`is larger than ${FILE_LIMIT} bytes`)
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
  return text.replace(/\r?\n$/, "")
})

const resolveFile = Effect.fnUntraced(function* (
  written: string,
  options: { readonly origin: Origin; readonly place: Place }
): Effect.fn.Return<string, FileUnreadable, Path.Path> {
  const path = yield* Path.Path
  const environment = yield* Environment
  const home = environment["HOME"] || environment["USERPROFILE"]
  if (written.startsWith("~/") && home !== undefined) return path.join(home, written.slice(2))
  if (path.isAbsolute(written)) return written
  if (options.origin.directory === undefined) {
    return yield* new FileUnreadable({
      path: written,
      place: options.place,
      description: "is relative, and this configuration lies in no folder; name it absolutely"
    })
  }
  return path.resolve(options.origin.directory, written)
})
