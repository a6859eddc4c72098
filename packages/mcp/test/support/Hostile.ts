/** A server that answers a request as a test tells it, and what the test sends to it. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Requests from "./Requests.ts"

export const JSON_ANSWER = { "content-type": "application/json" }

export const EVENTS = { "content-type": "text/event-stream" }

/** A server that answers as it is told, and what a test sends to it; `seen` counts the requests that reached it. */
export const against = Effect.fnUntraced(function* (
  answer: (response: ServerResponse, count: number, request: IncomingMessage) => void,
  options: Omit<Requests.RequestsOptions, "url"> = {}
) {
  const seen: Array<IncomingMessage> = []
  const origin = yield* LoopbackListener.listen((request, response) => {
    seen.push(request)
    answer(response, seen.length, request)
  })
  return { seen, ...(yield* Requests.make({ url: `${origin}/mcp`, ...options })) }
})
