/** A real HTTP proxy on loopback: it opens tunnels, forwards plain requests, and notes what it was asked. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Net from "node:net"
import type { Duplex } from "node:stream"

export interface ProxyOptions {
  /** Answers everything with this status instead. */
  readonly refuse?: number
}

export interface ProxyRequest {
  readonly method: string
  /** As it was asked: `host:port` for a tunnel, an absolute URL else. */
  readonly target: string
  readonly headers: Http.IncomingHttpHeaders
}

export interface Proxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly seen: ReadonlyArray<ProxyRequest>
}

/** Listens until the scope closes. */
export const make = Effect.fnUntraced(function* (
  options: ProxyOptions = {}
): Effect.fn.Return<Proxy, never, Scope.Scope> {
  const seen: Array<ProxyRequest> = []
  const note = ({ headers, method = "", url = "" }: Http.IncomingMessage) =>
    void seen.push({ method, target: url, headers })
  const server = Http.createServer((request, response) => {
    note(request)
    if (options.refuse !== undefined) {
      response.writeHead(options.refuse).end("canary: not through here")
      return
    }
    const forwarded = Http.request(
      request.url ?? "",
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      }
    )
    forwarded.on("error", () => response.writeHead(502).end())
    request.pipe(forwarded)
  })
  server.on("connect", (request: Http.IncomingMessage, client: Duplex, head: Buffer) => {
    note(request)
    client.on("error", () => undefined)
    if (options.refuse !== undefined) {
      client.end(`HTTP/1.1 ${options.refuse} Refused\r\n\r\n`)
      return
    }
    const { hostname, port } = new URL(`http://${request.url}`)
    const upstream = Net.connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connected\r\n\r\n")
      upstream.write(head)
      upstream.pipe(client)
      client.pipe(upstream)
    })
    client.on("close", () => upstream.destroy())
    upstream.on("error", () => client.destroy())
  })
  return { host: `127.0.0.1:${yield* LoopbackListener.bind(server)}`, seen }
})
