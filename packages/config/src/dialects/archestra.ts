/**
 * A catalogue item of Archestra: one remote server with `name`, `serverUrl` and `userConfig`, whose fields a person fills
 * in. Read only where a person names the file: it is what a catalogue serves, and has no name of its own. A local server
 * is skipped, since it runs in a container there. Of `oauthConfig` the client and its scopes count; where the server
 * signs people in is found out. What else an item says is not looked at; nothing in it is a variable.
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
import { ANY_KEY } from "../UnknownKeys.ts"

export const archestra: Dialect = {
  id: "archestra",
  title: "Archestra",
  fileNames: [],
  marks: (document) => marksOf(document, { serverType: "scalar", serverUrl: "scalar", userConfig: "object" }),
  decode: (document, context) => decode(document, context)
}

const decode = (document: Document, context: DecodeContext): Result.Result<Reading, ConfigErrorReason> => {
  const name = document.value(["name"])
  if (typeof name !== "string") {
    return Result.fail(
      new ValueInvalid({ place: document.place(["name"]), expected: `an object with "name" and "serverUrl"` })
    )
  }
  const reading = ServersReader.readSlots(
    document,
    [{ name, path: [] }],
    { parse: (source) => Result.succeed(Template.literal(source)), form: decodeItem, known: ITEM_KEYS },
    context
  )
  return Result.succeed(reading)
}

const OAuthConfig = Schema.Struct({
  client_id: Schema.optionalKey(Schema.NullOr(Schema.String).annotate({ expected: "a string" })),
  client_secret: Schema.optionalKey(Schema.NullOr(Schema.String).annotate({ expected: "a string" })),
  scopes: Schema.optionalKey(Schema.NullOr(ServerForm.Names).annotate({ expected: "a list of scopes" })),
  default_scopes: Schema.optionalKey(Schema.NullOr(ServerForm.Names).annotate({ expected: "a list of scopes" }))
})

/** An empty client id means that the client registers itself. */
const oauthOf = (config: typeof OAuthConfig.Type): ServerForm.OAuthForm => {
  const { client_id: clientId, client_secret: clientSecret } = config
  const scopes = [config.scopes, config.default_scopes].find((list) => list != null && list.length > 0)
  return {
    ...(clientId == null || clientId === "" ? {} : { clientId }),
    ...(clientId == null || clientId === "" || clientSecret == null || clientSecret === "" ? {} : { clientSecret }),
    ...(scopes == null ? {} : { scopes })
  }
}

const OAUTH_NAMES: Readonly<Record<string, string>> = { clientId: "client_id", clientSecret: "client_secret" }

const decodeForm = SchemaDecoder.make(
  Schema.Struct({
    serverType: Schema.optionalKey(Schema.String.annotate({ expected: `"remote"` })),
    serverUrl: ServerForm.Url,
    userConfig: Schema.optionalKey(Schema.NullOr(ServerForm.UserConfig).annotate({ expected: "an object of fields" })),
    oauthConfig: Schema.optionalKey(Schema.NullOr(OAuthConfig).annotate({ expected: "an object with a client" }))
  }).annotate({ expected: `an object with "name" and "serverUrl"` })
)

/** A field says more than is needed here, such as when to ask for it. */
const ITEM_KEYS = { [ANY_KEY]: true } as const

const decodeItem: ServersReader.EntryDialect["form"] = (document) =>
  Result.gen(function* () {
    const type = document.value(["serverType"])
    if (type !== undefined && type !== "remote") {
      return yield* Result.fail(
        new ValueInvalid({
          place: document.place(["serverType"]),
          expected: `"remote"`,
          remedy: "a server that is a container or part of Archestra cannot be reached from here"
        })
      )
    }
    const { oauthConfig, serverUrl, userConfig } = yield* decodeForm(document, [])
    return {
      form: {
        url: serverUrl,
        ...(userConfig === undefined || userConfig === null ? {} : { userConfig }),
        ...(oauthConfig === undefined || oauthConfig === null ? {} : { oauth: oauthOf(oauthConfig) })
      },
      locate
    }
  })

const locate = ([first, ...rest]: DocumentPath): DocumentPath => {
  if (first === "url") return ["serverUrl"]
  if (first === "auth" || first === undefined) return []
  if (first !== "oauth") return [first, ...rest]
  return ["oauthConfig", ...rest.map((key) => (typeof key === "string" ? (OAUTH_NAMES[key] ?? key) : key))]
}
