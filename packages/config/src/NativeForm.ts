/**
 * The native form as one Schema: what the decoder of `dialects/native.ts` reads part by part, and what editors are told
 * by the JSON Schema that is generated from it ({@link jsonSchema}).
 */
import * as Schema from "effect/Schema"
import * as ServerForm from "./ServerForm.ts"
import type * as UnknownKeys from "./UnknownKeys.ts"

/** Documents elsewhere that one document may name. */
export const EXTENDS_LIMIT = 8

/** One entry. */
export const Entry = Schema.Struct({
  ...ServerForm.fields,
  passthroughHeaders: ServerForm.field(
    ServerForm.PassthroughHeaders,
    "Headers of the request that the runtime serves, let through to this server."
  ),
  userConfig: ServerForm.field(ServerForm.UserConfig, "What a person fills in once, kept as secrets, sent as headers."),
  timeout: ServerForm.field(ServerForm.ConnectTimeout, "Milliseconds for connecting. Default 30000."),
  auth: ServerForm.field(
    ServerForm.Auth,
    "Whether OAuth may be used: where the server asks, from the start, or never."
  ),
  oauth: ServerForm.field(
    ServerForm.OAuth,
    "How to sign in: a client that was registered beforehand, further scopes, the port that a sign-in ends at; or how a token is had where nobody signs in."
  )
}).annotate({ expected: ServerForm.ENTRY })

/** The keys of {@link Entry}. */
export const entryKeys: UnknownKeys.KnownKeys = {
  ...ServerForm.knownKeys,
  passthroughHeaders: ServerForm.passthroughKeys,
  userConfig: ServerForm.userConfigKeys,
  timeout: true,
  auth: true,
  oauth: ServerForm.oauthKeys
}

/** Hook modules, in the order they run. */
export const Hooks = ServerForm.Names.annotate({ expected: "a list of module files" })

/** Configurations elsewhere. */
export const Extends = ServerForm.Names.check(Schema.isMaxLength(EXTENDS_LIMIT)).annotate({
  expected: `a list of at most ${EXTENDS_LIMIT} URLs`
})

export const Credentials = Schema.Struct({
  storage: ServerForm.field(
    Schema.Literals(["auto", "filesystem"]).annotate({ expected: `"auto" or "filesystem"` }),
    "Where secrets are kept: in the keychain where there is one, else in files; or in files."
  )
}).annotate({ expected: `an object such as { "storage": "auto" }` })

const NativeDocument = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String),
  mcpServers: ServerForm.field(
    Schema.Record(Schema.String, Entry),
    "MCP servers by name, each reached by a URL or started as a program."
  ),
  hooks: ServerForm.field(
    Hooks,
    `Modules whose default export has "mcp.call.before", in the order they run for each call.`
  ),
  extends: ServerForm.field(
    Extends,
    "URLs of configurations whose servers count after those of this file. Nothing in them runs without approval."
  ),
  credentials: ServerForm.field(Credentials, "How secrets are kept.")
}).annotate({ title: "Letterhead configuration" })

/**
 * The JSON Schema of the native form, draft 2020-12. The decoder says more: what a check refuses for its content, such
 * as the name of a header, is a string here.
 */
export const jsonSchema = (): object => {
  const { schema } = Schema.toJsonSchemaDocument(NativeDocument, {
    onExcessProperty: "error",
    generateDescriptions: true
  })
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema }
}
