/**
 * What a client does in every scenario: it lists what the server offers and uses all of it, once, each use a call of a
 * session of its own.
 *
 * The suite may say which tools to call, and with what. Otherwise arguments are made up from the tool's input schema.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Face, FaceError, OfferedTool } from "./Face.ts"

/** The calls that a scenario asks for in `MCP_CONFORMANCE_CONTEXT`. */
const ScenarioContext = Schema.fromJsonString(
  Schema.Struct({
    toolCalls: Schema.optional(
      Schema.Array(
        Schema.Struct({ name: Schema.String, arguments: Schema.optional(Schema.Record(Schema.String, Schema.Unknown)) })
      )
    )
  })
)

const InputSchema = Schema.Struct({
  properties: Schema.optional(Schema.Record(Schema.String, Schema.Struct({ type: Schema.optional(Schema.Unknown) }))),
  required: Schema.optional(Schema.Array(Schema.String))
})

/** Scenarios whose tools are there to be listed, and cannot be called. */
const LISTED_ONLY: ReadonlySet<string> = new Set(["json-schema-ref-no-deref"])
/** Its result lacks what the revision demands of a server; the SDK refuses it, and the suite looks at the request only. */
const MAY_FAIL: ReadonlySet<string> = new Set(["test_mrtr_no_result_type"])
/** The tool of `json-schema-2020-12-preservation` that wants to see the input schema of the other. */
const SCHEMA_ECHO = "json_schema_echo"

export interface Scenario {
  /** `MCP_CONFORMANCE_SCENARIO`. */
  readonly name: string
  /** `MCP_CONFORMANCE_CONTEXT`, where the suite sets it. */
  readonly context: string | undefined
}

/** Uses all that the server offers. */
export const run = Effect.fnUntraced(function* (face: Face, scenario: Scenario): Effect.fn.Return<void, FaceError> {
  let count = 0
  const inSession = <A, E, R>(effect: Effect.Effect<A, E, R>) => withCall(effect, { sessionId: `session-${++count}` })

  const tools = yield* inSession(face.tools)
  if (LISTED_ONLY.has(scenario.name)) return
  for (const { tool, args } of yield* calls(tools, scenario)) {
    const called = inSession(tool.call(args))
    yield* MAY_FAIL.has(tool.name) ? Effect.ignore(called) : called
  }
  for (const prompt of yield* inSession(face.prompts)) yield* inSession(prompt)
  for (const resource of yield* inSession(face.resources)) yield* inSession(resource)
})

const calls = Effect.fnUntraced(function* (tools: ReadonlyArray<OfferedTool>, { context }: Scenario) {
  const { toolCalls } = context === undefined ? {} : yield* Schema.decodeEffect(ScenarioContext)(context)
  if (toolCalls !== undefined) {
    return toolCalls.flatMap(({ name, arguments: args = {} }) =>
      tools.flatMap((tool) => (tool.name === name ? [{ tool, args }] : []))
    )
  }
  return tools.flatMap((tool) => {
    if (tool.name !== SCHEMA_ECHO) return [{ tool, args: made(tool.inputSchema) }]
    const focal = tools.find(({ name }) => name !== SCHEMA_ECHO)
    return [{ tool, args: { schema: focal?.inputSchema } }]
  })
})

/** Arguments that an input schema accepts: its required properties, each with a value of its type. */
const made = (inputSchema: unknown): Readonly<Record<string, unknown>> => {
  const { properties = {}, required = [] } = Option.getOrElse(
    Schema.decodeUnknownOption(InputSchema)(inputSchema),
    (): typeof InputSchema.Type => ({})
  )
  return Object.fromEntries(required.map((name) => [name, valueOf(properties[name]?.type)]))
}

const valueOf = (type: unknown): unknown => {
  switch (type) {
    case "number":
    case "integer":
      return 3
    case "boolean":
      return true
    case "array":
      return []
    case "object":
      return {}
    case "null":
      return null
    default:
      return "value"
  }
}
