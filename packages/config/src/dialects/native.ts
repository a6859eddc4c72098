/**
 * The native form, `letterhead.{json,jsonc,yaml,yml}`: all that Letterhead can be told.
 *
 * What this version does not act on yet is never left out silently: `passthroughHeaders`, `userConfig`, `oauth` and
 * `auth: "oauth"` would yield headers, so an entry with one of them is skipped rather than called without.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { HookModule } from "@letterhead/core/server/ServerEntry"
import { parse } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DecodeContext, Dialect } from "../Dialect.ts"
import type { Document, DocumentPath } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as UnknownKeys from "../UnknownKeys.ts"
import { refuseUnsupported } from "./unsupported.ts"

export const native: Dialect = {
  id: "native",
  fileNames: ["letterhead.json", "letterhead.jsonc", "letterhead.yaml", "letterhead.yml"],
  marks: (document) => document.node(SERVERS)?.kind === "object",
  decode: (document, context) =>
    Result.gen(function* () {
      if (document.root.kind !== "object") {
        return yield* Result.fail(
          new ValueInvalid({ place: document.place([]), expected: `an object with "mcpServers"` })
        )
      }
      const twice = document.duplicates.find(({ path }) => path[0] === "hooks")
      if (twice !== undefined) return yield* Result.fail(ServersReader.duplicate(document, twice.path, twice.offset))
      const hooks = yield* decodeHooks(document, context)
      const reading = yield* ServersReader.read(
        document,
        { at: context.serversAt ?? SERVERS, parse, form: decodeEntry, known: ENTRY_KEYS, hooks },
        context
      )
      return { ...reading, warnings: [...decodeRest(document, context), ...reading.warnings] }
    })
}

const SERVERS = ["mcpServers"]

const Entry = Schema.Struct({
  ...ServerForm.fields,
  timeout: Schema.optionalKey(ServerForm.ConnectTimeout),
  auth: Schema.optionalKey(Schema.Literals(["auto", "none"]).annotate({ expected: `"auto" or "none"` }))
}).annotate({ expected: ServerForm.ENTRY })

const ENTRY_KEYS: UnknownKeys.KnownKeys = {
  ...ServerForm.knownKeys,
  timeout: true,
  auth: true,
  passthroughHeaders: true,
  userConfig: true,
  oauth: true
}

const decodeForm = SchemaDecoder.make(Entry)

const decodeEntry = (
  document: Document,
  path: DocumentPath
): Result.Result<ServerForm.ServerForm, ConfigErrorReason> => {
  const forced = document.value([...path, "auth"]) === "oauth" ? ["auth"] : []
  return (
    refuseUnsupported(document, path, ["passthroughHeaders", "userConfig", "oauth", ...forced]) ??
    decodeForm(document, path)
  )
}

const decodeNames = SchemaDecoder.make(ServerForm.Names.annotate({ expected: "a list of module files" }))

/** A hook is a source of headers: where its list cannot be read, no server of the file is called without it. */
const decodeHooks = (
  document: Document,
  context: DecodeContext
): Result.Result<ReadonlyArray<HookModule>, ConfigErrorReason> => {
  if (document.node(["hooks"]) === undefined) return Result.succeed([])
  return Result.flatMap(decodeNames(document, ["hooks"]), (names) =>
    Result.all(
      names.map((name, index) => {
        const place = document.place(["hooks", index])
        const { directory } = context.origin
        if (context.path.isAbsolute(name)) return Result.succeed({ path: context.path.normalize(name), place })
        return directory === undefined
          ? Result.fail(
              new ValueInvalid({ place, expected: "an absolute path, because this configuration lies in no folder" })
            )
          : Result.succeed({ path: context.path.resolve(directory, name), place })
      })
    )
  )
}

const decodeCredentials = SchemaDecoder.make(
  Schema.Struct({
    storage: Schema.optionalKey(
      Schema.Literals(["auto", "filesystem"]).annotate({ expected: `"auto" or "filesystem"` })
    )
  }).annotate({ expected: `an object such as { "storage": "auto" }` })
)

/** What is beside servers and hooks never costs a server. */
const decodeRest = (document: Document, context: DecodeContext): ReadonlyArray<ConfigWarning> => {
  const known = { $schema: true, mcpServers: true, hooks: true, credentials: { storage: true } } as const
  const unknown = UnknownKeys.warnings(document, [], known, context.origin)
  const credentials =
    document.node(["credentials"]) === undefined ? undefined : decodeCredentials(document, ["credentials"])
  return [
    ...(document.node(SERVERS) === undefined
      ? [{ place: document.place([]), message: `names no servers; add { "mcpServers": { … } }` }]
      : []),
    ...unknown,
    ...(credentials !== undefined && Result.isFailure(credentials)
      ? [
          {
            place: credentials.failure.place,
            message: `"credentials": expected ${credentials.failure.expected}; ignored`
          }
        ]
      : [])
  ]
}
