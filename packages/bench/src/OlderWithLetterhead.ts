/** SDK v1 on Letterhead's transport, with the headers of the session on each call. */
import { call, McpTransport, requestOptions } from "@letterhead/mcp/McpTransport"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"
import { contextOfSession, effectful, owner, promising } from "./LetterheadRuntime.ts"
import { entryOf } from "./SixSources.ts"
import { CLIENT_INFO, paramsOf, type Subject, verify } from "./Subject.ts"

/** Each call an effect, whose fiber knows the session. */
export const ours: Subject = effectful(
  "legacy",
  Effect.fnUntraced(function* (url) {
    const client = yield* connect(url)
    return (session) =>
      Effect.map(
        call((options) => client.callTool(paramsOf(session), undefined, options)),
        ({ content }) => verify(session, content)
      )
  })
)

/** Each call a promise, whose options name the session. */
export const oursByOptions: Subject = promising(
  "legacy",
  Effect.fnUntraced(function* (url) {
    const client = yield* connect(url)
    return async (session) => {
      const options = requestOptions(contextOfSession(session))
      const { content } = await client.callTool(paramsOf(session), undefined, options)
      verify(session, content)
    }
  })
)

const connect = Effect.fnUntraced(function* (url: URL) {
  const client = new Client(CLIENT_INFO)
  const transport = yield* (yield* McpTransport).transport(entryOf(url), owner)
  yield* Effect.promise(() => client.connect(transport))
  return client
})
