/**
 * ToolHive's virtual MCP server (vMCP): `backends` with `name`, `url` and `transport`; `outgoingAuth`, which says how
 * each authenticates; and `passthroughHeaders`, which every backend gets. Read only where a person names the file: it
 * has no name of its own there either. Nothing else in it is looked at.
 *
 * Authorization and Cookie may be listed without more, as there, with a warning. Values are plain text: nothing in them
 * is a variable. Nobody signs in at a backend; `token_exchange` exchanges the token of whoever calls. A strategy that is not supported skips its backends, and so does
 * `source: discovered`, whose strategies are not in the file, for a backend that has none in it.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Template from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type DecodeContext, type Dialect, marksOf, type Reading } from "../Dialect.ts"
import type { Document, DocumentPath } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as ToolHiveAuth from "./ToolHiveAuth.ts"

export const toolHive: Dialect = {
  id: "toolhive",
  title: "ToolHive vMCP",
  fileNames: [],
  marks: (document) => marksOf(document, { backends: "list", outgoingAuth: "object", passthroughHeaders: "list" }),
  decode: (document, context) => decode(document, context)
}

const decode = (document: Document, context: DecodeContext): Result.Result<Reading, ConfigErrorReason> =>
  Result.gen(function* () {
    if (document.root.kind !== "object") {
      return yield* Result.fail(new ValueInvalid({ place: document.place([]), expected: `an object with "backends"` }))
    }
    const twice = document.duplicates.find(({ path }) => path[0] === "outgoingAuth" || path[0] === "passthroughHeaders")
    if (twice !== undefined) return yield* Result.fail(ServersReader.duplicate(document, twice.path, twice.offset))
    const shared = yield* ToolHiveAuth.decodeShared(document)
    const form: ServersReader.EntryDialect["form"] = (document, { name, path }) =>
      Result.gen(function* () {
        const { transport, url } = yield* decodeBackend(document, path)
        const auth = yield* ToolHiveAuth.decode(document, name, shared)
        return {
          form: {
            url,
            ...(transport === undefined ? {} : { type: transport }),
            headers: auth.headers,
            passthroughHeaders: auth.passthrough.map(({ header }) => header),
            ...(auth.oauth === undefined ? { auth: "none" as const } : { auth: "oauth" as const, oauth: auth.oauth })
          },
          locate: (keys: DocumentPath) => auth.locate(keys) ?? [...path, ...keys],
          warnings: auth.warnings
        }
      })
    const reading = yield* ServersReader.readList(
      document,
      ["backends"],
      { parse: (source) => Result.succeed(Template.literal(source)), form, known: BACKEND_KEYS },
      context
    )
    const missing = document.node(["backends"]) === undefined
    return {
      ...reading,
      warnings: [
        ...(missing ? [{ place: document.place([]), message: `names no servers; list them under "backends"` }] : []),
        // What every backend shares is said once.
        ...new Map(reading.warnings.map((warning) => [JSON.stringify(warning), warning])).values()
      ]
    }
  })

const decodeBackend = SchemaDecoder.make(
  Schema.Struct({
    url: ServerForm.Url,
    transport: Schema.optionalKey(
      Schema.Literals(["streamable-http", "sse"]).annotate({ expected: `"streamable-http" or "sse"` })
    )
  }).annotate({ expected: `an object with "name", "url" and "transport"` })
)

const BACKEND_KEYS = { name: true, url: true, transport: true, metadata: true, type: true } as const
