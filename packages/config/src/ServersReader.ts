/**
 * Reads a set of servers by name, as every dialect with `mcpServers` has it: entry by entry, so that what is wrong with
 * one skips that one. A dialect gives the schema of an entry, the keys it knows and how it writes variables.
 */
import { type ConfigErrorReason, DocumentMalformed, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { HookModule, ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import type { DecodeContext, Reading, ServerReading } from "./Dialect.ts"
import { type Document, type DocumentPath, isUnprintable, showKey } from "./Document.ts"
import type { TemplateParser } from "./Interpolation.ts"
import * as ServerDecoder from "./ServerDecoder.ts"
import type { ServerForm } from "./ServerForm.ts"
import * as UnknownKeys from "./UnknownKeys.ts"

export interface EntryDialect {
  /** The path of the object whose keys are the names of servers. */
  readonly at: DocumentPath
  readonly parse: TemplateParser
  readonly form: (document: Document, path: DocumentPath) => Result.Result<ServerForm, ConfigErrorReason>
  readonly known: UnknownKeys.KnownKeys
  readonly hooks?: ReadonlyArray<HookModule>
}

/** The servers of a document that has some; fails where they cannot be told from each other. */
export const read = (
  document: Document,
  dialect: EntryDialect,
  context: DecodeContext
): Result.Result<Reading, ConfigErrorReason> => {
  const { at } = dialect
  const twice = document.duplicates.find(({ path }) => path.length <= at.length && startsWith(at, path))
  if (twice !== undefined) return Result.fail(duplicate(document, twice.path, twice.offset))
  const node = document.node(at)
  if (node === undefined) return Result.succeed({ servers: [], warnings: [] })
  if (node.kind !== "object") {
    return Result.fail(
      new ValueInvalid({
        place: document.place(at),
        expected: "an object of servers by name",
        remedy: "write {} if there are none"
      })
    )
  }
  const servers: Array<ServerReading> = []
  const warnings: Array<ConfigWarning> = []
  for (const name of document.keys(at)) {
    const path = [...at, name]
    const place = document.place(path, "key")
    const entry = readEntry(document, name, dialect, context)
    if (Result.isSuccess(entry)) {
      servers.push({ _tag: "Read", name, place, entry: entry.success })
      warnings.push(...withoutEffect(document, path, entry.success))
    } else {
      servers.push({ _tag: "Skipped", name: showName(name), place, origin: context.origin, reason: entry.failure })
    }
    warnings.push(...UnknownKeys.warnings(document, path, dialect.known, context.origin))
  }
  return Result.succeed({ servers, warnings })
}

/** A reason for a key that stands twice in one object. */
export const duplicate = (document: Document, path: DocumentPath, offset: number): DocumentMalformed =>
  new DocumentMalformed({
    place: document.placeAt(offset, path),
    description: `the key ${showKey(String(path.at(-1)))} is written twice; remove one of them`
  })

const readEntry = (
  document: Document,
  name: string,
  dialect: EntryDialect,
  context: DecodeContext
): Result.Result<ServerEntry, ConfigErrorReason> => {
  const path = [...dialect.at, name]
  if (!isShowable(name)) {
    return Result.fail(
      new ValueInvalid({
        place: document.place(path, "key"),
        expected: "a name of visible characters for the server",
        remedy: "rename it"
      })
    )
  }
  const twice = document.duplicates.find((candidate) => startsWith(candidate.path, path))
  if (twice !== undefined) return Result.fail(duplicate(document, twice.path, twice.offset))
  return Result.flatMap(dialect.form(document, path), (form) =>
    ServerDecoder.decode(form, {
      document,
      path,
      name,
      origin: context.origin,
      environment: context.environment,
      parse: dialect.parse,
      hooks: dialect.hooks ?? []
    })
  )
}

/** What an entry says that changes nothing, though it looks as if it did. */
const withoutEffect = (document: Document, path: DocumentPath, entry: ServerEntry): ReadonlyArray<ConfigWarning> => {
  const of = entry.endpoint.type
  const keys = of === "stdio" ? ["headers", "headersHelper"] : ["args", "env"]
  const why = of === "stdio" ? "a server that is a program gets no headers" : "a server with a URL is not started here"
  const idle = keys.flatMap((key) =>
    document.node([...path, key]) === undefined
      ? []
      : [{ place: document.place([...path, key], "key"), message: `"${key}" has no effect: ${why}; remove it` }]
  )
  // The shell expands variables by itself; nothing else does.
  const commands =
    of === "stdio"
      ? [[...path, "command"], ...itemsOf(document, [...path, "args"])]
      : itemsOf(document, [...path, "headersHelper", "command"])
  const literal = commands.flatMap((at) => {
    const word = document.value(at)
    return typeof word === "string" && word.includes("${")
      ? [{ place: document.place(at), message: VARIABLE_IN_COMMAND }]
      : []
  })
  return [...idle, ...literal]
}

const VARIABLE_IN_COMMAND =
  "variables are not expanded in a command, and this one is passed on as it is written; " +
  "let the program read the variable from its environment"

const showName = (name: string): string => (isShowable(name) ? name : showKey(name))

/** A name is shown on terminals. */
const isShowable = (name: string): boolean => name.trim().length > 0 && !isUnprintable(name)

const itemsOf = (document: Document, path: DocumentPath): ReadonlyArray<DocumentPath> => {
  const node = document.node(path)
  return node?.kind === "list" ? node.items.map((_, index) => [...path, index]) : []
}

const startsWith = (path: DocumentPath, start: DocumentPath): boolean =>
  start.every((step, index) => path[index] === step)
