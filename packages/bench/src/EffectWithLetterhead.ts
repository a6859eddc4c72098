/** Effect's own MCP client over Letterhead's HttpClient, with the headers of the session on each call. */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http/HttpClient"
import { connect } from "./EffectClients.ts"
import { effectful, owner } from "./LetterheadRuntime.ts"
import { entryOf } from "./SixSources.ts"
import type { Era, Subject } from "./Subject.ts"

export const ours = (era: Era): Subject =>
  effectful(
    era,
    Effect.fnUntraced(function* (url) {
      const client = yield* (yield* McpTransport).httpClient(entryOf(url), owner)
      return yield* connect(url, era, {}).pipe(
        Effect.provideService(HttpClient, client),
        // Its list of tools is a call too.
        Effect.provideService(CurrentCall, owner)
      )
    })
  )
