/** SDK v2 on Letterhead's transport, with the headers of the session on each call. */
import { call, McpTransport, requestOptions } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import { clientOf } from "./CurrentClients.ts"
import { contextOfSession, effectful, owner, promising } from "./LetterheadRuntime.ts"
import { entryOf } from "./SixSources.ts"
import { type Era, paramsOf, type Subject, verify } from "./Subject.ts"

/** Each call an effect, whose fiber knows the session. */
export const ours = (era: Era): Subject =>
  effectful(
    era,
    Effect.fnUntraced(function* (url) {
      const client = yield* connect(url, era)
      return (session) =>
        Effect.map(
          call((options) => client.callTool(paramsOf(session), options)),
          ({ content }) => verify(session, content)
        )
    })
  )

/** Each call a promise, whose options name the session. */
export const oursByOptions = (era: Era): Subject =>
  promising(
    era,
    Effect.fnUntraced(function* (url) {
      const client = yield* connect(url, era)
      return async (session) => {
        const { content } = await client.callTool(paramsOf(session), requestOptions(contextOfSession(session)))
        verify(session, content)
      }
    })
  )

const connect = Effect.fnUntraced(function* (url: URL, era: Era) {
  const client = clientOf(era)
  const transport = yield* (yield* McpTransport).transport(entryOf(url), owner)
  yield* Effect.promise(() => client.connect(transport))
  return client
})
