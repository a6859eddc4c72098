/**
 * OpenHarness' form, `.oh/config.yaml` and `.oh/config.local.yaml`, of which the latter counts first: servers as a list
 * with `name`, and `credentials.storage`. Nothing else in the file is looked at.
 *
 * Differences to OpenHarness: values are read again at each connect; `${VAR:-default}` is understood as well; a server
 * without `type` falls back to SSE on a 4xx other than 401, 403 and 429.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type DecodeContext, type Dialect, marksOf, type Reading } from "../Dialect.ts"
import type { Document } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import * as StorageDecoder from "../StorageDecoder.ts"
import * as TemplateSyntax from "../TemplateSyntax.ts"
import type * as UnknownKeys from "../UnknownKeys.ts"
import { REFUSED_KEYS, refuseUnsupported } from "./unsupported.ts"

export const openHarness: Dialect = {
  id: "openharness",
  title: "OpenHarness",
  fileNames: [".oh/config.local.yaml", ".oh/config.yaml"],
  marks: (document) => marksOf(document, { mcpServers: "list" }),
  decode: (document, context) => decode(document, context)
}

const SERVERS = ["mcpServers"]

const decode = (document: Document, context: DecodeContext): Result.Result<Reading, ConfigErrorReason> => {
  if (document.root.kind !== "object") {
    return Result.fail(new ValueInvalid({ place: document.place([]), expected: `an object with "mcpServers"` }))
  }
  const { credentialStorage, warnings } = StorageDecoder.decode(document)
  return Result.map(
    ServersReader.readList(
      document,
      SERVERS,
      { parse: TemplateSyntax.shell, form: decodeEntry, known: ENTRY_KEYS },
      context
    ),
    (reading) => ({
      ...reading,
      ...(credentialStorage === undefined ? {} : { credentialStorage }),
      warnings: [...warnings, ...reading.warnings]
    })
  )
}

const Entry = Schema.Struct({ ...ServerForm.fields, auth: Schema.optionalKey(ServerForm.Auth) }).annotate({
  expected: ServerForm.ENTRY
})

const decodeForm = SchemaDecoder.make(Entry)

/** `timeout` bounds a tool call there, and `riskLevel` what may run unasked: neither concerns a connection. */
const ENTRY_KEYS: UnknownKeys.KnownKeys = {
  ...ServerForm.knownKeys,
  name: true,
  auth: true,
  timeout: true,
  riskLevel: true,
  ...REFUSED_KEYS
}

const decodeEntry: ServersReader.EntryDialect["form"] = (document, { path }) =>
  Result.map(refuseUnsupported(document, path, Object.keys(REFUSED_KEYS)) ?? decodeForm(document, path), (form) => ({
    form
  }))
