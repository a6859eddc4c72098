/** Effect's own MCP client with static headers: over its default client, over undici. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { headersOf, type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { CLIENT_INFO, type Era, paramsOf, type Subject, verify } from "./Subject.ts"

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

/** Effect's default client. */
export const overFetch = (era: Era): Subject => bare(era, FetchHttpClient.layer)

/** What Effect has for undici. */
export const overUndici = (era: Era): Subject => bare(era, NodeHttpClient.layerUndici)

/** Effect's default client over another fetch, and without the spans that Letterhead's client does not make either. */
export const over = (era: Era, fetch: typeof globalThis.fetch): Subject =>
  bare(
    era,
    Layer.effect(
      HttpClient.HttpClient,
      Effect.map(HttpClient.HttpClient, (client) =>
        HttpClient.transform(client, (effect) =>
          Effect.provideService(effect, HttpClient.TracerDisabledWhen, () => true)
        )
      )
    ).pipe(Layer.provide(FetchHttpClient.layer), Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch)))
  )

const bare = (era: Era, client: Layer.Layer<HttpClient.HttpClient>): Subject => ({
  era,
  open: async (url) => {
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
