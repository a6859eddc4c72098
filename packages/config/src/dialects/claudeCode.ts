/**
 * Claude Code's form: `.mcp.json` in a project, and `~/.claude.json`, which holds the person's servers and, under
 * `projects`, those of one project (`claude mcp add` writes there by default).
 *
 * Differences to Claude Code: variables are not expanded in `command` and `args`, an unset variable without a default
 * skips the server, and `headersHelper` may be the native object as well as a shell string.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { Template, TemplatePart } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DecodeContext, Dialect, Reading } from "../Dialect.ts"
import type { Document, DocumentPath } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as UnknownKeys from "../UnknownKeys.ts"
import { refuseUnsupported } from "./unsupported.ts"

export const claudeCode: Dialect = {
  id: "claude-code",
  fileNames: [".mcp.json"],
  marks: (document) => document.node(SERVERS)?.kind === "object",
  decode: (document, context) =>
    Result.map(decode(document, context), (reading) => ({
      ...reading,
      warnings: [...surroundings(document, context), ...reading.warnings]
    }))
}

/** The person's own file, which holds much else: nothing outside its servers is looked at. */
export const claudeCodeUser: Dialect = {
  id: "claude-code-user",
  fileNames: [".claude.json"],
  marks: (document) => document.node(["projects"])?.kind === "object",
  decode: (document, context) => decode(document, context)
}

/** The path of the servers of one project folder in `~/.claude.json`. */
export const projectServers = (folder: string): DocumentPath => ["projects", folder, "mcpServers"]

/** `${VAR}` and `${VAR:-default}`, and nothing else: here `$$` and `{file:…}` are plain text. */
export const parseTemplate = (source: string): Result.Result<Template, string> => {
  const parts: Array<TemplatePart> = []
  let position = 0
  const text = (end: number) => {
    if (end > position) parts.push({ _tag: "Text", text: source.slice(position, end) })
  }
  for (const match of source.matchAll(VARIABLE)) {
    text(match.index)
    position = match.index + match[0].length
    const body = match[1] ?? ""
    if (body.includes("${")) return Result.fail("a variable within a variable is not supported")
    const separator = body.indexOf(":-")
    const name = separator === -1 ? body : body.slice(0, separator)
    if (!VARIABLE_NAME.test(name)) {
      return Result.fail(`"\${…}" must name a variable of letters, digits and underscores`)
    }
    parts.push(
      separator === -1 ? { _tag: "Variable", name } : { _tag: "Variable", name, fallback: body.slice(separator + 2) }
    )
  }
  text(source.length)
  return Result.succeed({ source, parts })
}

const SERVERS = ["mcpServers"]
const VARIABLE = /\$\{([^}]*)\}/g
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

const Entry = Schema.Struct(ServerForm.fields).annotate({ expected: ServerForm.ENTRY })

/** `timeout` bounds a tool call there, and `alwaysLoad` what a model is shown: neither concerns a connection. */
const ENTRY_KEYS: UnknownKeys.KnownKeys = { ...ServerForm.knownKeys, oauth: true, timeout: true, alwaysLoad: true }

const decodeForm = SchemaDecoder.make(Entry)

const decodeEntry = (
  document: Document,
  path: DocumentPath
): Result.Result<ServerForm.ServerForm, ConfigErrorReason> => {
  if (document.value([...path, "type"]) === "ws") {
    return Result.fail(
      new ValueInvalid({
        place: document.place([...path, "type"]),
        expected: `"http", "sse" or "stdio"`,
        remedy: "WebSocket is not supported; use the server's HTTP endpoint if it has one"
      })
    )
  }
  return refuseUnsupported(document, path, ["oauth", "passthroughHeaders", "userConfig"]) ?? decodeForm(document, path)
}

const decode = (document: Document, context: DecodeContext): Result.Result<Reading, ConfigErrorReason> => {
  if (document.root.kind !== "object") {
    return Result.fail(new ValueInvalid({ place: document.place([]), expected: `an object with "mcpServers"` }))
  }
  return ServersReader.read(
    document,
    { at: context.serversAt ?? SERVERS, parse: parseTemplate, form: decodeEntry, known: ENTRY_KEYS },
    context
  )
}

const surroundings = (document: Document, context: DecodeContext): ReadonlyArray<ConfigWarning> => [
  ...(document.node(SERVERS) === undefined
    ? [{ place: document.place([]), message: `names no servers; add { "mcpServers": { … } }` }]
    : []),
  ...UnknownKeys.warnings(document, [], { $schema: true, mcpServers: true }, context.origin)
]
