/** The native form, `letterhead.{json,jsonc,yaml,yml}`: all that Letterhead can be told. */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { HookModule } from "@letterhead/core/server/ServerEntry"
import { parse } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import { type DecodeContext, type Dialect, type Extension, marksOf } from "../Dialect.ts"
import type { Document } from "../Document.ts"
import * as NativeForm from "../NativeForm.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServersReader from "../ServersReader.ts"
import * as StorageDecoder from "../StorageDecoder.ts"
import * as UnknownKeys from "../UnknownKeys.ts"

export const native: Dialect = {
  id: "native",
  title: "Letterhead",
  fileNames: ["letterhead.json", "letterhead.jsonc", "letterhead.yaml", "letterhead.yml"],
  marks: (document) => marksOf(document, { mcpServers: "object", hooks: "list", extends: "list" }),
  decode: (document, context) =>
    Result.gen(function* () {
      if (document.root.kind !== "object") {
        return yield* Result.fail(
          new ValueInvalid({ place: document.place([]), expected: `an object with "mcpServers"` })
        )
      }
      const twice = document.duplicates.find(({ path }) => path[0] === "hooks" || path[0] === "extends")
      if (twice !== undefined) return yield* Result.fail(ServersReader.duplicate(document, twice.path, twice.offset))
      const hooks = yield* decodeHooks(document, context)
      const extensions = yield* decodeExtends(document)
      const reading = yield* ServersReader.read(
        document,
        context.serversAt ?? SERVERS,
        { parse, form: decodeEntry, known: NativeForm.entryKeys, hooks },
        context
      )
      const { credentialStorage, warnings } = StorageDecoder.decode(document)
      return {
        ...reading,
        ...(extensions.length === 0 ? {} : { extends: extensions }),
        ...(credentialStorage === undefined ? {} : { credentialStorage }),
        warnings: [...surroundings(document, context, extensions), ...warnings, ...reading.warnings]
      }
    })
}

const SERVERS = ["mcpServers"]

const decodeForm = SchemaDecoder.make(NativeForm.Entry)
const decodeNames = SchemaDecoder.make(NativeForm.Hooks)
const decodeUrls = SchemaDecoder.make(NativeForm.Extends)

const decodeEntry: ServersReader.EntryDialect["form"] = (document, { path }) =>
  Result.map(decodeForm(document, path), (form) => ({ form }))

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

const decodeExtends = (document: Document): Result.Result<ReadonlyArray<Extension>, ConfigErrorReason> =>
  document.node(["extends"]) === undefined
    ? Result.succeed([])
    : Result.map(decodeUrls(document, ["extends"]), (urls) =>
        urls.map((url, index) => ({ url, place: document.place(["extends", index]) }))
      )

/** What is beside servers, hooks and `extends` never costs a server. */
const surroundings = (
  document: Document,
  context: DecodeContext,
  extensions: ReadonlyArray<Extension>
): ReadonlyArray<ConfigWarning> => {
  const known = {
    $schema: true,
    mcpServers: true,
    hooks: true,
    extends: true,
    credentials: { storage: true }
  } as const
  return [
    ...(document.node(SERVERS) === undefined && extensions.length === 0
      ? [{ place: document.place([]), message: `names no servers; add { "mcpServers": { … } }` }]
      : []),
    ...UnknownKeys.warnings(document, [], known, context.origin)
  ]
}
