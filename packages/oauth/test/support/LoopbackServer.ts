/** A server of 127.0.0.1 that answers as a test says, and remembers what it was asked. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface LoopbackServer {
  readonly port: number
  /** `http://127.0.0.1:` and the port. */
  readonly origin: string
  readonly received: ReadonlyArray<Received>
}

export type Answering = (request: Received, response: ServerResponse, origin: string) => void

/** Lives as long as the scope. */
export const make = (answer: Answering): Effect.Effect<LoopbackServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const received: Array<Received> = []
    const origin = yield* LoopbackListener.listen((request, response, body) => {
      const one = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body }
      received.push(one)
      answer(one, response, `http://${request.headers.host ?? ""}`)
    })
    return { port: Number(new URL(origin).port), origin, received }
  })

/** Answers with JSON. */
export const json = (response: ServerResponse, value: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
}
