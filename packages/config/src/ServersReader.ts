/**
 * Reads a set of servers entry by entry, so that what is wrong with one skips that one. A dialect gives what it makes of
 * an entry, the keys it knows and how it writes variables.
 */
import { type ConfigErrorReason, DocumentMalformed, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import { formatPlace, type HookModule, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import * as CredentialsDecoder from "./CredentialsDecoder.ts"
import type { DecodeContext, Reading, ServerReading } from "./Dialect.ts"
import { type Document, type DocumentPath, formatPath, isUnprintable, showKey } from "./Document.ts"
import type { TemplateParser } from "./Interpolation.ts"
import * as ServerDecoder from "./ServerDecoder.ts"
import type { ServerForm } from "./ServerForm.ts"
import * as UnknownKeys from "./UnknownKeys.ts"

export interface EntryDialect {
  readonly parse: TemplateParser
  readonly form: (document: Document, slot: Slot) => Result.Result<Written, ConfigErrorReason>
  readonly known: UnknownKeys.KnownKeys
  readonly hooks?: ReadonlyArray<HookModule>
}

/** Where a document has an entry. */
export interface Slot {
  readonly name: string
  readonly path: DocumentPath
}

/** What a dialect makes of an entry. */
export interface Written {
  readonly form: ServerForm
  /** Where a part of the form was written. Default: under the entry, by the same keys. */
  readonly locate?: (path: DocumentPath) => DocumentPath
  readonly warnings?: ReadonlyArray<ConfigWarning>
}

/** The servers of an object whose keys are their names; fails where they cannot be told from each other. */
export const read = (
  document: Document,
  at: DocumentPath,
  dialect: EntryDialect,
  context: DecodeContext
): Result.Result<Reading, ConfigErrorReason> =>
  Result.map(slotsOf(document, at), (slots) => readSlots(document, slots, dialect, context))

/** The entries of an object whose keys are the names of servers; none where there is no such object. */
export const slotsOf = (
  document: Document,
  at: DocumentPath
): Result.Result<ReadonlyArray<Slot>, ConfigErrorReason> => {
  const defect = setDefect(document, at, "object", `an object of servers by name`, "{}")
  if (defect !== undefined) return Result.fail(defect)
  return Result.succeed(document.keys(at).map((name) => ({ name, path: [...at, name] })))
}

/** The servers of a list whose items say their `name`; one that is used twice is nobody's. */
export const readList = (
  document: Document,
  at: DocumentPath,
  dialect: EntryDialect,
  context: DecodeContext
): Result.Result<Reading, ConfigErrorReason> => {
  const defect = setDefect(document, at, "list", `a list of servers, each with a "name"`, "[]")
  if (defect !== undefined) return Result.fail(defect)
  const node = document.node(at)
  const items = (node?.kind === "list" ? node.items : []).map((_, index) => {
    const path = [...at, index]
    const name = document.value([...path, "name"])
    return { path, name: typeof name === "string" ? name : undefined }
  })
  const nameless = items.flatMap(({ name, path }): ReadonlyArray<ServerReading> => {
    if (name !== undefined) return []
    const place = document.place([...path, "name"])
    const reason = new ValueInvalid({ place, expected: `an object with a "name"`, remedy: "name the server" })
    return [{ _tag: "Skipped", name: formatPath(path), place, origin: context.origin, reason }]
  })
  const named = Map.groupBy(
    items.flatMap(({ name, path }): ReadonlyArray<Slot> => (name === undefined ? [] : [{ name, path }])),
    (slot) => slot.name
  )
  const twice = [...named.values()].flatMap(([first, second]): ReadonlyArray<ServerReading> => {
    if (first === undefined || second === undefined) return []
    const place = document.place([...second.path, "name"])
    const reason = new ValueInvalid({
      place,
      expected: "a name of its own for each server",
      remedy: `rename this one or the one at ${formatPlace(document.place([...first.path, "name"]))}`
    })
    return [{ _tag: "Skipped", name: showName(first.name), place, origin: context.origin, reason }]
  })
  const once = [...named.values()].flatMap((slots) => (slots.length === 1 ? slots : []))
  const reading = readSlots(document, once, dialect, context)
  return Result.succeed({ ...reading, servers: [...reading.servers, ...twice, ...nameless] })
}

/** The servers at the places where a dialect found them. */
export const readSlots = (
  document: Document,
  slots: ReadonlyArray<Slot>,
  dialect: EntryDialect,
  context: DecodeContext
): Reading => {
  const servers: Array<ServerReading> = []
  const warnings: Array<ConfigWarning> = []
  for (const slot of slots) {
    const { name, path } = slot
    const place = document.place(path, "key")
    const read = readEntry(document, slot, dialect, context)
    if (Result.isSuccess(read)) {
      servers.push({ _tag: "Read", name, place, entry: read.success.entry })
      warnings.push(...read.success.warnings)
    } else {
      servers.push({ _tag: "Skipped", name: showName(name), place, origin: context.origin, reason: read.failure })
    }
    warnings.push(...UnknownKeys.warnings(document, path, dialect.known, context.origin))
  }
  return { servers, warnings }
}

/** A reason for a key that stands twice in one object. */
export const duplicate = (document: Document, path: DocumentPath, offset: number): DocumentMalformed =>
  new DocumentMalformed({
    place: document.placeAt(offset, path),
    description: `the key ${showKey(String(path.at(-1)))} is written twice; remove one of them`
  })

/** Why a set of servers cannot be read; one that is not there is read as an empty one. */
const setDefect = (
  document: Document,
  at: DocumentPath,
  kind: "object" | "list",
  expected: string,
  none: string
): ConfigErrorReason | undefined => {
  const twice = document.duplicates.find(({ path }) => path.length <= at.length && startsWith(at, path))
  if (twice !== undefined) return duplicate(document, twice.path, twice.offset)
  const node = document.node(at)
  if (node === undefined || node.kind === kind) return undefined
  return new ValueInvalid({ place: document.place(at), expected, remedy: `write ${none} if there are none` })
}

const readEntry = (
  document: Document,
  slot: Slot,
  dialect: EntryDialect,
  context: DecodeContext
): Result.Result<{ readonly entry: ServerEntry; readonly warnings: ReadonlyArray<ConfigWarning> }, ConfigErrorReason> =>
  Result.gen(function* () {
    const { name, path } = slot
    if (!isShowable(name)) {
      return yield* Result.fail(
        new ValueInvalid({
          place: document.place(path, "key"),
          expected: "a name of visible characters for the server",
          remedy: "rename it"
        })
      )
    }
    const twice = document.duplicates.find((candidate) => startsWith(candidate.path, path))
    if (twice !== undefined) return yield* Result.fail(duplicate(document, twice.path, twice.offset))
    const { form, locate = (keys) => [...path, ...keys], warnings = [] } = yield* dialect.form(document, slot)
    const entry = yield* ServerDecoder.decode(form, {
      document,
      path,
      locate,
      name,
      origin: context.origin,
      environment: context.environment,
      parse: dialect.parse,
      hooks: dialect.hooks ?? []
    })
    return { entry, warnings: [...warnings, ...withoutEffect(document, form, locate, entry)] }
  })

/** What an entry says that changes nothing, though it looks as if it did. */
const withoutEffect = (
  document: Document,
  form: ServerForm,
  locate: (path: DocumentPath) => DocumentPath,
  entry: ServerEntry
): ReadonlyArray<ConfigWarning> => {
  const isProgram = entry.endpoint.type === "stdio"
  const why = isProgram ? "a server that is a program gets no headers" : "a server with a URL is not started here"
  const idle = (isProgram ? OF_URLS : OF_PROGRAMS).flatMap((key) =>
    form[key] === undefined
      ? []
      : [{ place: document.place(locate([key]), "key"), message: `"${key}" has no effect: ${why}; remove it` }]
  )
  const unsent = isProgram ? [] : CredentialsDecoder.withoutHeader(form.userConfig)
  const helper = typeof form.headersHelper === "object" ? form.headersHelper.command : []
  // The shell expands variables by itself; nothing else does.
  const words: ReadonlyArray<readonly [path: DocumentPath, word: string]> = isProgram
    ? [[["command"], form.command ?? ""], ...(form.args ?? []).map((word, index) => [["args", index], word] as const)]
    : (typeof helper === "string" ? [] : helper).map((word, index) => [["headersHelper", "command", index], word])
  return [
    ...idle,
    ...unsent.map((name) => ({
      place: document.place(locate(["userConfig", name]), "key"),
      message: `the field ${showKey(name)} is sent nowhere, and never asked for; give it a "headerName", or remove it`
    })),
    ...words.flatMap(([path, word]) =>
      word.includes("${") ? [{ place: document.place(locate(path)), message: VARIABLE_IN_COMMAND }] : []
    )
  ]
}

const OF_URLS = ["headers", "headersHelper", "passthroughHeaders", "userConfig"] as const
const OF_PROGRAMS = ["args", "env"] as const

const VARIABLE_IN_COMMAND =
  "variables are not expanded in a command, and this one is passed on as it is written; " +
  "let the program read the variable from its environment"

const showName = (name: string): string => (isShowable(name) ? name : showKey(name))

/** A name is shown on terminals. */
const isShowable = (name: string): boolean => name.trim().length > 0 && !isUnprintable(name)

const startsWith = (path: DocumentPath, start: DocumentPath): boolean =>
  start.every((step, index) => path[index] === step)
