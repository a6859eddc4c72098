/**
 * `letterhead tools <server>`: the tools that a server has.
 *
 * `--json`: `{ server, era, protocolVersion, tools: [{ name, title?, description?, inputSchema, … }] }`, each tool as
 * the server describes it.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Incoming from "../Incoming.ts"
import { withTransport } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { firstLine, printableLine } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import * as Session from "../Session.ts"
import { render } from "../Table.ts"
import { fieldsOf, signature } from "../ToolArguments.ts"

export const tools = Command.make(
  "tools",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    session: Session.flag,
    incoming: Incoming.flag
  },
  ({ incoming, server, session }) =>
    withTransport(
      Effect.gen(function* () {
        const output = yield* Output
        const call = { ...(yield* Session.context(session)), ...(yield* Incoming.collect(incoming)) }
        yield* Incoming.warnUnlisted(yield* McpConfig, server, incoming)
        const { connect } = yield* Effect.promise(() => import("../Connect.ts"))
        const { connection, tools } = yield* Effect.gen(function* () {
          const connection = yield* connect(server)
          const tools = yield* connection.listTools.pipe(withProgress(`asking ${server} for its tools`))
          return { connection, tools }
        }).pipe((effect) => withCall(effect, call), Effect.scoped)
        if (output.json) {
          return yield* output.document({
            server,
            era: connection.era,
            protocolVersion: connection.protocolVersion,
            tools
          })
        }
        if (tools.length === 0) return yield* output.print(`"${server}" has no tools.`)
        return yield* output.print(
          render(
            {
              columns: ["tool", "arguments", "description"],
              rows: tools.map((tool) => [
                printableLine(tool.name),
                signature(fieldsOf(tool.inputSchema)),
                firstLine(tool.description ?? tool.title ?? "")
              ])
            },
            output
          )
        )
      })
    )
).pipe(Command.withDescription("List the tools of a server"))
