/** Letterhead's own client. */
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import { effectful, owner } from "./LetterheadRuntime.ts"
import { entryOf } from "./SixSources.ts"
import { type Era, paramsOf, type Subject, verify } from "./Subject.ts"

export const ours = (era: Era): Subject =>
  effectful(
    era,
    Effect.fnUntraced(function* (url) {
      const { callTool } = yield* (yield* McpTransport).connect(entryOf(url), owner)
      return (session) => {
        const params = paramsOf(session)
        return Effect.map(callTool(params.name, params.arguments), ({ content }) => verify(session, content))
      }
    })
  )
