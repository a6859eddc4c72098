/** Documents that are nearly right, for properties. */
import * as Schema from "effect/Schema"

/** A value that is right, or anything at all. */
const roughly = <S extends Schema.Constraint>(schema: S) => Schema.Union([schema, Schema.Json])

const Text = Schema.Literals(["a", "", "${SET}", "${UNSET:-x}", "${UNSET}", "${", "$$", "{file:./x}", "a\nb"])
const Url = Schema.Literals(["https://a.example/mcp", "http://b", "https://${SET}", "ftp://c", "https://u:p@d", ""])

const RoughEntry = Schema.Struct({
  type: Schema.optionalKey(roughly(Schema.Literals(["http", "sse", "stdio", "ws"]))),
  url: Schema.optionalKey(roughly(Url)),
  headers: Schema.optionalKey(roughly(Schema.Record(Schema.String, roughly(Text)))),
  headersHelper: Schema.optionalKey(
    roughly(
      Schema.Struct({
        command: roughly(Schema.Array(Text)),
        timeout: Schema.optionalKey(roughly(Schema.Int)),
        cache: Schema.optionalKey(roughly(Schema.Literals(["never", "expires"])))
      })
    )
  ),
  command: Schema.optionalKey(roughly(Text)),
  args: Schema.optionalKey(roughly(Schema.Array(Text))),
  env: Schema.optionalKey(roughly(Schema.Record(Schema.String, Text))),
  auth: Schema.optionalKey(roughly(Schema.Literals(["auto", "oauth"]))),
  timeout: Schema.optionalKey(roughly(Schema.Int))
})
export const RoughDocument = roughly(
  Schema.Struct({
    mcpServers: roughly(Schema.Record(Schema.String, roughly(RoughEntry))),
    hooks: Schema.optionalKey(roughly(Schema.Array(Text))),
    credentials: Schema.optionalKey(Schema.Json)
  })
)

export const Name = Schema.Literals(["a", "b-2", "sp ace", "ünï", "1", "true", "null", "__proto__", "x.y"])
const Value = Schema.Literals([
  "a",
  "1",
  "true",
  "null",
  "~",
  "0x1F",
  "1e3",
  "- a",
  "a: b",
  "# c",
  "*x",
  "&y",
  "!z",
  "${SET}",
  "'",
  '"',
  "2001-01-01",
  "yes",
  "@at",
  "%p",
  "a  b"
])
export const GoodEntry = Schema.Struct({
  type: Schema.optionalKey(Schema.Literals(["http", "sse"])),
  url: Schema.Literals(["https://a.example/mcp", "https://${SET}/x?y=1#z"]),
  headers: Schema.optionalKey(Schema.Record(Schema.Literals(["X-A", "X-B", "1", "null"]), Value)),
  headersHelper: Schema.optionalKey(
    Schema.Struct({
      command: Schema.Tuple([Schema.Literal("node"), Value]),
      environment: Schema.optionalKey(Schema.Record(Schema.Literals(["A", "B"]), Value)),
      timeout: Schema.optionalKey(Schema.Literals([100, 5_000, 120_000])),
      cache: Schema.optionalKey(Schema.Literals(["never", "expires", 60])),
      files: Schema.optionalKey(Schema.Array(Value))
    })
  ),
  timeout: Schema.optionalKey(Schema.Literals([100, 600_000]))
})
