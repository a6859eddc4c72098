/** A TLS server on loopback, whose certificate only the test authority vouches for. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")

const OPTIONS = { cert: fixture("server.pem"), key: fixture("server.key") }

/** The certificate of the authority, as PEM text. */
export const AUTHORITY = fixture("authority.pem")

/** Where it lies, for programs of their own. */
export const AUTHORITY_FILE = new URL("../fixtures/tls/authority.pem", import.meta.url).pathname

/** Passes all that it is asked on to a server that does not speak TLS, until the scope closes; gives its origin. */
export const before = Effect.fnUntraced(function* (url: string): Effect.fn.Return<string, never, Scope.Scope> {
  const server = Https.createServer(OPTIONS, (request, response) => {
    const { headers, method, url: path = "" } = request
    const passed = Http.request(new URL(path, url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on("error", () => response.destroy())
    request.pipe(passed)
  })
  return `https://127.0.0.1:${yield* LoopbackListener.bind(server)}`
})

export interface SecureServer {
  readonly origin: string
  /** The headers of each request. */
  readonly seen: ReadonlyArray<NodeJS.Dict<string | Array<string>>>
}

/** Answers until the scope closes. */
export const answering = Effect.fnUntraced(function* (
  answer: (response: Http.ServerResponse) => void
): Effect.fn.Return<SecureServer, never, Scope.Scope> {
  const seen: Array<NodeJS.Dict<string | Array<string>>> = []
  const server = Https.createServer(OPTIONS, (request, response) => {
    seen.push(request.headers)
    answer(response)
  })
  return { origin: `https://127.0.0.1:${yield* LoopbackListener.bind(server)}`, seen }
})

/** Answers `{}`. */
export const make: Effect.Effect<SecureServer, never, Scope.Scope> = answering(
  (response) => void response.writeHead(200, { "content-type": "application/json" }).end("{}")
)
