/**
 * `letterhead call <server> <tool> [key=value … | --args JSON] [--incoming NAME …]`: calls a tool and prints what it answers.
 *
 * Arguments are held against the tool's input schema first. An error that the tool reports goes to standard error,
 * with exit code 1.
 *
 * `--json`: `{ server, tool, session, isError, content, structuredContent? }`, the last three as the server sent them.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { CliFailure } from "../CliFailure.ts"
import * as Incoming from "../Incoming.ts"
import { withTransport } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { printable } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import * as Session from "../Session.ts"
import { describeFields, fromJson, fromWords } from "../ToolArguments.ts"
import { render } from "../ToolContent.ts"

export const call = Command.make(
  "call",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    tool: Argument.String("tool").pipe(Argument.withDescription("Name of one of its tools")),
    words: Argument.String("key=value").pipe(
      Argument.withDescription("An argument of the tool; text, or JSON where the tool's schema takes something else"),
      Argument.variadic()
    ),
    args: Flag.String("args").pipe(
      Flag.withMetavar("JSON"),
      Flag.withDescription("All arguments of the tool as one JSON object"),
      Flag.optional
    ),
    session: Session.flag,
    incoming: Incoming.flag
  },
  (input) =>
    Effect.gen(function* () {
      if (Option.isSome(input.args) && input.words.length > 0) {
        return yield* new CliFailure({
          code: "UsageInvalid",
          message: "give the arguments as key=value or as --args, not both"
        })
      }
      return yield* withTransport(invoke(input))
    })
).pipe(
  Command.withDescription("Call a tool of a server"),
  Command.withExamples([
    { command: "letterhead call everything echo message=hello", description: "One argument" },
    {
      command: `letterhead call everything get-sum --args '{"a": 1, "b": 2}' --session work`,
      description: "All arguments as JSON, in a session"
    }
  ])
)

interface Input {
  readonly server: string
  readonly tool: string
  readonly words: ReadonlyArray<string>
  readonly args: Option.Option<string>
  readonly session: Option.Option<string>
  readonly incoming: ReadonlyArray<string>
}

const invoke = Effect.fnUntraced(function* (input: Input) {
  const output = yield* Output
  const context = { ...(yield* Session.context(input.session)), ...(yield* Incoming.collect(input.incoming)) }
  yield* Incoming.warnUnlisted(yield* McpConfig, input.server, input.incoming)
  const { connect } = yield* Effect.promise(() => import("../Connect.ts"))
  const result = yield* Effect.gen(function* () {
    const connection = yield* connect(input.server)
    const tools = yield* connection.listTools.pipe(withProgress(`asking ${input.server} for its tools`))
    const tool = tools.find((candidate) => candidate.name === input.tool)
    if (tool === undefined) {
      return yield* new CliFailure({
        code: "ToolUnknown",
        message: `"${input.server}" has no tool "${input.tool}"; it has: ${tools.map(({ name }) => printable(name)).join(", ")}`
      })
    }
    const args = Option.match(input.args, {
      onNone: () => fromWords(input.words, tool.inputSchema),
      onSome: (json) => fromJson(json, tool.inputSchema)
    })
    if (Result.isFailure(args)) {
      return yield* new CliFailure({
        code: "ArgumentsInvalid",
        message: `the arguments of "${tool.name}" are not right: ${args.failure}`,
        hint: describeFields(tool.inputSchema)
      })
    }
    return yield* connection
      .callTool(tool.name, args.success)
      .pipe(withProgress(`waiting for ${input.tool} of ${input.server}`))
  }).pipe((effect) => withCall(effect, context), Effect.scoped)

  const failed = result.isError === true
  if (output.json) {
    yield* output.document({
      server: input.server,
      tool: input.tool,
      session: context.sessionId,
      isError: failed,
      content: result.content,
      ...(result.structuredContent === undefined ? {} : { structuredContent: result.structuredContent })
    })
  }
  if (failed) {
    return yield* new CliFailure({
      code: "ToolFailed",
      message: `the tool "${input.tool}" reported an error`,
      ...(output.json ? {} : { hint: printable(render(result)) })
    })
  }
  const text = render(result)
  // A pipe gets what the server sent; a terminal gets nothing that could drive it.
  return yield* output.json ? Effect.void : output.print(output.width === undefined ? text : printable(text))
})
