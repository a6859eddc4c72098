/**
 * The `plugin` list of OpenCode: names of packages, and local files, each alone or with options.
 *
 * A local file becomes a hook that may lack `mcp.call.before`, which is found out when it is loaded, after approval. A
 * package is listed as a warning and left alone; so is a file of a configuration that lies in no folder.
 */
import type { ConfigErrorReason } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { HookModule } from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DecodeContext } from "../Dialect.ts"
import { type Document, type DocumentPath, showKey } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"

export const decode = (
  document: Document,
  at: DocumentPath,
  context: DecodeContext
): Result.Result<
  { readonly hooks: ReadonlyArray<HookModule>; readonly warnings: ReadonlyArray<ConfigWarning> },
  ConfigErrorReason
> => {
  if (document.node(at) === undefined) return Result.succeed({ hooks: [], warnings: [] })
  return Result.map(decodeList(document, at), (plugins) => {
    const hooks: Array<HookModule> = []
    const warnings: Array<ConfigWarning> = []
    for (const [index, plugin] of plugins.entries()) {
      const name = typeof plugin === "string" ? plugin : plugin[0]
      const place = document.place([...at, index])
      const path = localFile(name, context)
      if (path === undefined) {
        warnings.push({ place, message: `the plugin ${showKey(name)} is no local file, and is left alone` })
      } else hooks.push({ path, optional: true, place })
    }
    return { hooks, warnings }
  })
}

const PLUGIN = `the name of a package, or a local file such as "./plugin.js"`

const decodeList = SchemaDecoder.make(
  Schema.Array(
    Schema.Union([Schema.String, Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Unknown])]).annotate({
      expected: PLUGIN
    })
  ).annotate({ expected: "a list of plugins" })
)

const FILE_URL = /^file:\/\//i
const RELATIVE = /^\.{1,2}(?:[\\/]|$)/

/** The absolute path of a plugin that is a file; `undefined` for a package. */
const localFile = (name: string, context: DecodeContext): string | undefined => {
  const { origin, path } = context
  if (FILE_URL.test(name)) return URL.canParse(name) ? fileOf(new URL(name), context) : undefined
  if (path.isAbsolute(name)) return path.normalize(name)
  return RELATIVE.test(name) && origin.directory !== undefined ? path.resolve(origin.directory, name) : undefined
}

const fileOf = (url: URL, { path }: DecodeContext): string | undefined => {
  try {
    return url.host === "" ? path.normalize(decodeURIComponent(url.pathname)) : undefined
  } catch {
    // A percent sign that starts no escape.
    return undefined
  }
}
