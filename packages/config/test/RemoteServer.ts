/** A loopback server of configurations that records what it is asked. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"

export interface RemoteServer {
  readonly origin: string
  readonly requests: Array<{ readonly url: string; readonly headers: IncomingHttpHeaders }>
}

export type Answer = (response: ServerResponse, origin: string) => void

/** Answers each path as told, and any other with 404. */
export const make = (answers: Readonly<Record<string, Answer | object | string>>) =>
  Effect.acquireRelease(
    Effect.callback<RemoteServer & { readonly close: () => void }>((resume) => {
      const requests: RemoteServer["requests"] = []
      let origin = ""
      const server = createServer((request, response) => {
        const url = request.url ?? ""
        requests.push({ url, headers: request.headers })
        const answer = answers[url.split("?", 1)[0] ?? ""]
        if (answer === undefined) response.writeHead(404).end()
        else if (typeof answer === "function") answer(response, origin)
        else if (typeof answer === "string") response.end(answer)
        else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
        resume(
          Effect.succeed({
            origin,
            requests,
            close: () => {
              server.closeAllConnections()
              server.close()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )
