/** A TLS server on loopback, whose certificate only the test authority vouches for. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import * as Https from "node:https"

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")

/** The certificate of the authority, as PEM text. */
export const AUTHORITY = fixture("authority.pem")

/** Where it lies, for programs of their own. */
export const AUTHORITY_FILE = new URL("../fixtures/tls/authority.pem", import.meta.url).pathname

/** Answers `{}` until the scope closes; gives the origin and the headers of each request. */
export const make: Effect.Effect<
  { readonly origin: string; readonly seen: ReadonlyArray<NodeJS.Dict<string | Array<string>>> },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const seen: Array<NodeJS.Dict<string | Array<string>>> = []
  const server = Https.createServer(
    { cert: fixture("server.pem"), key: fixture("server.key") },
    (request, response) => {
      seen.push(request.headers)
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    }
  )
  return { origin: `https://127.0.0.1:${yield* LoopbackListener.bind(server)}`, seen }
})
