/**
 * Claude Code's form: `.mcp.json` in a project, and `~/.claude.json`, which holds the person's servers and, under
 * `projects`, those of one project (`claude mcp add` writes there by default).
 *
 * Differences to Claude Code: variables are not expanded in `command` and `args`, an unset variable without a default
 * skips the server, `headersHelper` may be the native object as well as a shell string, and where a server signs people
 * in is found out: `oauth.authServerMetadataUrl` is a warning.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type DecodeContext, type Dialect, marksOf, type Reading } from "../Dialect.ts"
import type { Document, DocumentPath } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as TemplateSyntax from "../TemplateSyntax.ts"
import * as UnknownKeys from "../UnknownKeys.ts"
import * as OtherOAuth from "./OtherOAuth.ts"
import { REFUSED_KEYS, refuseUnsupported } from "./unsupported.ts"

export const claudeCode: Dialect = {
  id: "claude-code",
  title: "Claude Code",
  fileNames: [".mcp.json"],
  marks: () => [],
  decode: (document, context) =>
    Result.map(decode(document, context), (reading) => ({
      ...reading,
      warnings: [...surroundings(document, context), ...reading.warnings]
    }))
}

/** The person's own file, which holds much else: nothing outside its servers is looked at. */
export const claudeCodeUser: Dialect = {
  id: "claude-code-user",
  title: "Claude Code's own file",
  fileNames: [".claude.json"],
  marks: (document) =>
    document.node(["projects"])?.kind === "object"
      ? marksOf(document, { mcpServers: "object", projects: "object" })
      : [],
  decode: (document, context) => decode(document, context)
}

/** The path of the servers of one project folder in `~/.claude.json`. */
export const projectServers = (folder: string): DocumentPath => ["projects", folder, "mcpServers"]

const SERVERS = ["mcpServers"]

const Entry = Schema.Struct({ ...ServerForm.fields, oauth: Schema.optionalKey(ServerForm.OAuthOfOthers) }).annotate({
  expected: ServerForm.ENTRY
})

/** `timeout` bounds a tool call there, and `alwaysLoad` what a model is shown: neither concerns a connection. */
const ENTRY_KEYS: UnknownKeys.KnownKeys = {
  ...ServerForm.knownKeys,
  oauth: OtherOAuth.keys,
  timeout: true,
  alwaysLoad: true
}

const decodeForm = SchemaDecoder.make(Entry)

const decodeEntry: ServersReader.EntryDialect["form"] = (document, { path }) => {
  if (document.value([...path, "type"]) === "ws") {
    return Result.fail(
      new ValueInvalid({
        place: document.place([...path, "type"]),
        expected: `"http", "sse" or "stdio"`,
        remedy: "WebSocket is not supported; use the server's HTTP endpoint if it has one"
      })
    )
  }
  return Result.map(
    refuseUnsupported(document, path, Object.keys(REFUSED_KEYS)) ?? decodeForm(document, path),
    ({ oauth, ...form }) => OtherOAuth.read(document, path, form, oauth)
  )
}

const decode = (document: Document, context: DecodeContext): Result.Result<Reading, ConfigErrorReason> => {
  if (document.root.kind !== "object") {
    return Result.fail(new ValueInvalid({ place: document.place([]), expected: `an object with "mcpServers"` }))
  }
  return ServersReader.read(
    document,
    context.serversAt ?? SERVERS,
    { parse: TemplateSyntax.shell, form: decodeEntry, known: ENTRY_KEYS },
    context
  )
}

const surroundings = (document: Document, context: DecodeContext): ReadonlyArray<ConfigWarning> => [
  ...(document.node(SERVERS) === undefined
    ? [{ place: document.place([]), message: `names no servers; add { "mcpServers": { … } }` }]
    : []),
  ...UnknownKeys.warnings(document, [], { $schema: true, mcpServers: true }, context.origin)
]
