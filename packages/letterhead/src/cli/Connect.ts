/** Opens the connection of a verb; loaded with the verbs that need one. */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import { warnOf } from "./ConfigNotes.ts"
import { withProgress } from "./Progress.ts"

/** A connection to a configured server, for the current call's principal. */
export const connect = Effect.fnUntraced(function* (server: string) {
  const config = yield* McpConfig
  const transport = yield* McpTransport
  yield* warnOf(config, server)
  const entry = yield* config.get(server)
  return yield* transport.connect(entry).pipe(withProgress(`connecting to ${server}`))
})
