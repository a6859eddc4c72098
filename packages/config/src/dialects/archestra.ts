/**
 * A catalogue item of Archestra: one remote server with `name`, `serverUrl` and `userConfig`, whose fields a person fills
 * in. Read only where a person names the file: it is what a catalogue serves, and has no name of its own. A local server
 * is skipped, since it runs in a container there. What else an item says is not looked at; nothing in it is a variable.
 */
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Template from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type DecodeContext, type Dialect, marksOf, type Reading } from "../Dialect.ts"
import type { Document } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"
import * as ServersReader from "../ServersReader.ts"
import { ANY_KEY } from "../UnknownKeys.ts"
import { ignoredOAuth } from "./unsupported.ts"

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
  return Result.succeed({ ...reading, warnings: [...ignoredOAuth(document, [], "oauthConfig"), ...reading.warnings] })
}

const decodeForm = SchemaDecoder.make(
  Schema.Struct({
    serverType: Schema.optionalKey(Schema.String.annotate({ expected: `"remote"` })),
    serverUrl: ServerForm.Url,
    userConfig: Schema.optionalKey(Schema.NullOr(ServerForm.UserConfig).annotate({ expected: "an object of fields" }))
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
    const { serverUrl, userConfig } = yield* decodeForm(document, [])
    return {
      form: { url: serverUrl, ...(userConfig === undefined || userConfig === null ? {} : { userConfig }) },
      locate: (keys) => (keys[0] === "url" ? ["serverUrl"] : keys[0] === "auth" ? [] : keys)
    }
  })
