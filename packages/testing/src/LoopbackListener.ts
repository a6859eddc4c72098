/**
 * An HTTP listener, or a server of another kind, on a free port of 127.0.0.1 that lives as long as its scope.
 *
 * At the end of the scope it stops listening and every socket is destroyed, whatever is still being answered on it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"

/** Answers a request; a rejection destroys the request's socket. */
export type RequestListener = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  body: string
) => void | Promise<void>

/** Requests with a larger body, in bytes, are cut off. */
const BODY_LIMIT = 4 * 1024 * 1024

/** Listens until the scope closes; gives the origin, such as `http://127.0.0.1:41234`. */
export const listen = (listener: RequestListener): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = Http.createServer((request, response) => {
      void answer(listener, request, response)
    })
    // Idle connections stay open as long as a client wants to keep them: a test decides when one breaks.
    server.keepAliveTimeout = 0
    server.requestTimeout = 0
    return `http://127.0.0.1:${yield* bind(server)}`
  })

/**
 * Has a server of Node's, of whichever protocol, listen on a free port of 127.0.0.1 until the scope closes, and destroys
 * its sockets then; gives the port.
 */
export const bind = (server: Net.Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Net.Socket>()
    server.on("connection", (socket: Net.Socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.once("error", (error) => resume(Effect.die(error)))
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    return portOf(server.address())
  })

const answer = async (
  listener: RequestListener,
  request: Http.IncomingMessage,
  response: Http.ServerResponse
): Promise<void> => {
  try {
    await listener(request, response, await readBody(request))
  } catch {
    // The client went away, or sent what no test sends; there is nobody to tell.
    request.socket.destroy()
  }
}

const readBody = async (request: Http.IncomingMessage): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let length = 0
  for await (const chunk of request) {
    const bytes = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
    length += bytes.length
    if (length > BODY_LIMIT) throw new Error(`a request body has at most ${BODY_LIMIT} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const portOf = (address: string | Net.AddressInfo | null): number => {
  if (address === null || typeof address === "string") throw new Error("the listener has no port")
  return address.port
}
