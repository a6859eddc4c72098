/** Effect's own MCP client with static headers, over its default client and over undici. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { CLIENT_INFO, paramsOf } from "./BareClients.ts"
import { headersOf, type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { type Connection, type Era, type Subject, verify } from "./Subject.ts"

/** A connected client whose calls are effects; they end with the scope. */
export const connect = Effect.fnUntraced(function* (url: URL, era: Era, headers: Readonly<Record<string, string>>) {
  const protocol = era === "modern" ? McpProtocol.v2026_07_28 : McpProtocol.v2025_11_25
  const transport = yield* McpClient.http({ url, protocol, headers })
  const client = yield* McpClient.make(CLIENT_INFO).pipe(Effect.provideService(McpClient.Transport, transport))
  const [tool] = yield* client.listTools()
  if (tool === undefined) return yield* Effect.die(new Error("the server offers no tool"))
  return (session: Session) =>
    Effect.map(client.callTool({ tool, arguments: paramsOf(session).arguments }), ({ content }) =>
      verify(session, content)
    )
})

/** Effect's client over an HttpClient, with the headers of one session for all. */
export const effect = (name: string, era: Era, client: Layer.Layer<HttpClient.HttpClient>): Subject => ({
  name,
  era,
  open: async (url): Promise<Connection> => {
    const scope = Scope.makeUnsafe()
    const call = await Layer.buildWithScope(client, scope).pipe(
      Effect.flatMap((services) => Effect.provide(connect(url, era, headersOf(STATIC_SESSION.id)), services)),
      Scope.provide(scope),
      Effect.runPromise
    )
    return {
      call: () => Effect.runPromise(call(STATIC_SESSION)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})

export const overFetch: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer
export const overUndici: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndici
