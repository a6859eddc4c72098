/**
 * OpenCode's form, `opencode.json(c)`: servers under `mcp.<name>` (v1) or `mcp.servers.<name>` (v2), and the same within
 * `config` in what an organisation serves at `/.well-known/opencode`.
 *
 * Of `plugin` the local files become hooks that may lack `mcp.call.before`; packages are listed and left alone. Nothing
 * outside `mcp` and `plugin` is looked at.
 *
 * Differences to OpenCode: values are read again at each connect, not at load; a variable that is not set skips the
 * server; entries of one name are not merged, the nearest counts whole.
 */
import { type ConfigErrorReason, ServerDisabled, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type DecodeContext, type Dialect, marksOf, type Reading } from "../Dialect.ts"
import { type Document, type DocumentPath, showKey } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as TemplateSyntax from "../TemplateSyntax.ts"
import * as UnknownKeys from "../UnknownKeys.ts"
import * as OpenCodePlugins from "./OpenCodePlugins.ts"
import * as OtherOAuth from "./OtherOAuth.ts"
import { REFUSED_KEYS, refuseUnsupported } from "./unsupported.ts"

export const openCode: Dialect = {
  id: "opencode",
  title: "OpenCode",
  fileNames: ["opencode.json", "opencode.jsonc"],
  marks: (document) => marksOf(document, { mcp: "object", plugin: "list" }),
  decode: (document, context) => decode(document, [], context)
}

/** What an organisation serves at `/.well-known/opencode`; its `auth` names a command, which is never run. */
export const openCodeWellKnown: Dialect = {
  id: "opencode-well-known",
  title: "OpenCode's remote configuration",
  fileNames: [".well-known/opencode"],
  marks: (document) => (document.node([WELL_KNOWN, "mcp"])?.kind === "object" ? [`"config.mcp" as an object`] : []),
  decode: (document, context) =>
    Result.map(decode(document, [WELL_KNOWN], context), (reading) => ({
      ...reading,
      warnings: [
        ...UnknownKeys.warnings(document, [], { $schema: true, config: true, auth: true }, context.origin),
        ...reading.warnings
      ]
    }))
}

const WELL_KNOWN = "config"

const decode = (
  document: Document,
  root: DocumentPath,
  context: DecodeContext
): Result.Result<Reading, ConfigErrorReason> =>
  Result.gen(function* () {
    const node = document.node(root)
    if (node !== undefined && node.kind !== "object") {
      return yield* Result.fail(new ValueInvalid({ place: document.place(root), expected: `an object with "mcp"` }))
    }
    const { at, warnings } = servers(document, [...root, "mcp"], context)
    const { hooks, warnings: pluginWarnings } = yield* OpenCodePlugins.decode(document, [...root, "plugin"], context)
    const written = yield* ServersReader.slotsOf(document, at)
    const switches = written.filter(({ path }) => isOnlySwitch(document, path))
    const reading = ServersReader.readSlots(
      document,
      written.filter((slot) => !switches.includes(slot)),
      { parse: TemplateSyntax.braces, form: decodeEntry, known: ENTRY_KEYS, hooks },
      context
    )
    return {
      ...reading,
      warnings: [
        ...warnings,
        ...pluginWarnings,
        ...switches.map(({ name, path }) => ({
          place: document.place(path, "key"),
          message: `${showKey(name)} is only switched on here, and entries are not merged: write the whole entry, or remove it`
        })),
        ...reading.warnings
      ]
    }
  })

/** Where the servers stand: in v2 in an object of their own. A server may be called "servers" all the same. */
const servers = (
  document: Document,
  mcp: DocumentPath,
  context: DecodeContext
): { readonly at: DocumentPath; readonly warnings: ReadonlyArray<ConfigWarning> } => {
  const at = [...mcp, "servers"]
  return document.node(at)?.kind === "object" && !isEntry(document, at)
    ? { at, warnings: UnknownKeys.warnings(document, mcp, { servers: true, timeout: true }, context.origin) }
    : { at: mcp, warnings: [] }
}

const isEntry = (document: Document, path: DocumentPath): boolean =>
  document.node([...path, "type"])?.kind === "scalar" || typeof document.value([...path, "enabled"]) === "boolean"

/** Whether an entry does nothing but enable one that another file has: OpenCode merges the two. */
const isOnlySwitch = (document: Document, path: DocumentPath): boolean => {
  const keys = document.keys(path)
  return keys.length === 1 && document.value([...path, "enabled"]) === true
}

const Timeout = Schema.Union([
  Schema.Int.check(Schema.isGreaterThan(0)),
  Schema.Struct({ startup: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))) })
]).annotate({ expected: "a whole number of milliseconds, greater than 0" })

const common = {
  timeout: Schema.optionalKey(Timeout),
  enabled: Schema.optionalKey(Schema.Boolean.annotate({ expected: "true or false" })),
  disabled: Schema.optionalKey(Schema.Boolean.annotate({ expected: "true or false" }))
}

const Remote = Schema.Struct({
  ...common,
  url: ServerForm.Url,
  headers: ServerForm.fields.headers,
  headersHelper: ServerForm.fields.headersHelper,
  oauth: Schema.optionalKey(
    Schema.Union([Schema.Literal(false), ServerForm.OAuthOfOthers]).annotate({ expected: "false, or an object" })
  )
}).annotate({ expected: `an object with "type" and "url"` })

const Local = Schema.Struct({
  ...common,
  command: ServerForm.Words.annotate({ expected: `a list of strings such as ["npx", "-y", "server"]` }),
  environment: ServerForm.fields.env
}).annotate({ expected: `an object with "type" and "command"` })

const ENTRY_KEYS: UnknownKeys.KnownKeys = {
  type: true,
  url: true,
  headers: true,
  headersHelper: ServerForm.knownKeys["headersHelper"] ?? true,
  oauth: OtherOAuth.keys,
  command: true,
  environment: true,
  enabled: true,
  disabled: true,
  timeout: true,
  ...REFUSED_KEYS
}

const decodeRemote = SchemaDecoder.make(Remote)
const decodeLocal = SchemaDecoder.make(Local)

const decodeEntry: ServersReader.EntryDialect["form"] = (document, { path }) =>
  Result.gen(function* () {
    for (const [key, off] of SWITCHED_OFF) {
      if (document.value([...path, key]) !== off) continue
      return yield* Result.fail(new ServerDisabled({ place: document.place([...path, key], "key") }))
    }
    const unsupported = refuseUnsupported(document, path, Object.keys(REFUSED_KEYS))
    if (unsupported !== undefined) return yield* unsupported
    switch (document.value([...path, "type"])) {
      case "remote": {
        const { headers, headersHelper, oauth, timeout, url } = yield* decodeRemote(document, path)
        const form = {
          url,
          ...(headers === undefined ? {} : { headers }),
          ...(headersHelper === undefined ? {} : { headersHelper }),
          ...(oauth === false ? { auth: "none" as const } : {}),
          ...connectTimeout(timeout)
        }
        return OtherOAuth.read(document, path, form, oauth === false ? undefined : oauth)
      }
      case "local": {
        const { command, environment, timeout } = yield* decodeLocal(document, path)
        return {
          form: {
            command: command[0] ?? "",
            args: command.slice(1),
            ...(environment === undefined ? {} : { env: environment }),
            ...connectTimeout(timeout)
          },
          locate: (keys: DocumentPath) => [...path, ...locateLocal(keys)]
        }
      }
      default:
        return yield* Result.fail(
          new ValueInvalid({ place: document.place([...path, "type"]), expected: `"remote" or "local"` })
        )
    }
  })

const SWITCHED_OFF = [
  ["enabled", false],
  ["disabled", true]
] as const

/** Where the words of a command are: in one list with the program. */
const locateLocal = ([first, ...rest]: DocumentPath): DocumentPath => {
  if (first === "env") return ["environment", ...rest]
  if (first === "command") return ["command", 0]
  if (first === "args") return typeof rest[0] === "number" ? ["command", rest[0] + 1] : ["command"]
  return first === undefined ? [] : [first, ...rest]
}

/** There it bounds the first answer as well as connecting, and has no limits. */
const connectTimeout = (timeout: typeof Timeout.Type | undefined): { readonly timeout?: number } => {
  const written = typeof timeout === "object" ? timeout.startup : timeout
  if (written === undefined) return {}
  const { CONNECT_TIMEOUT_MAXIMUM, CONNECT_TIMEOUT_MINIMUM } = ServerForm
  return { timeout: Math.min(Math.max(written, CONNECT_TIMEOUT_MINIMUM), CONNECT_TIMEOUT_MAXIMUM) }
}
