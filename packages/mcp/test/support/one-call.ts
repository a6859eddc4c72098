/** A program of its own that makes one call to the URL it is given, and then has nothing more to do. */
import * as McpConfig from "@letterhead/core/server/McpConfig"
import { withCall } from "@letterhead/core/call/CallContext"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as StdioPrograms from "@letterhead/mcp/stdio/StdioPrograms"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Resolver from "./Resolver.ts"

const entry = EntryFixture.entry({ url: process.argv[2] ?? "" })
const layer = McpTransport.layer.pipe(
  Layer.provide([McpConfig.layer([entry]), Resolver.make().layer, StdioPrograms.layerDenyAll])
)

const program = Effect.scoped(
  Effect.gen(function* () {
    const transport = yield* McpTransport.McpTransport
    const connection = yield* transport.connect(entry)
    yield* connection.callTool("echo", {})
    process.stdout.write("answered\n")
  })
)

await Effect.runPromise(program.pipe(Effect.provide(layer), (effect) => withCall(effect, { sessionId: "one" })))
