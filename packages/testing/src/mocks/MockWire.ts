/**
 * How a client that is the runtime's own reaches a mock server: as an SDK's transport, by fetch, by an `HttpClient`.
 *
 * There is no network and there are no headers: what a real server is told by headers, a mock server is told as the
 * context of the call. A fetch answers POST alone, with one JSON body, as a server without streams does.
 */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import { carried } from "@letterhead/mcp/call/CarriedCall"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import { McpError, PrincipalMismatch } from "@letterhead/mcp/McpError"
import type { ClientTransport, McpTransport } from "@letterhead/mcp/McpTransport"
import { RequestFailure } from "@letterhead/mcp/failure/RequestFailure"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as MockMessages from "./MockMessages.ts"

export type FetchLike = Effect.Success<ReturnType<McpTransport["Service"]["fetch"]>>

/** A transport for the client of either SDK. */
export const transport = (connection: McpConnection, owner: CallContext): ClientTransport => {
  const calls = new Map<string | number, AbortController>()
  const made: ClientTransport = {
    sessionId: undefined,
    setProtocolVersion: () => {},
    start: () => Promise.resolve(),
    close: () => {
      for (const call of calls.values()) call.abort()
      made.onclose?.()
      return Promise.resolve()
    },
    send: (message, options) => {
      if ("method" in message && message.method === "notifications/cancelled") {
        const id = message.params?.["requestId"]
        if (typeof id === "string" || typeof id === "number") calls.get(id)?.abort()
      }
      const request = MockMessages.read(message)
      if (request === undefined) return Promise.resolve()
      const call = carried(options)?.context ?? owner
      if (call.principal !== owner.principal) {
        const reason = new PrincipalMismatch({ connection: owner.principal, call: call.principal })
        return Promise.reject(new RequestFailure(reason))
      }
      const ended = new AbortController()
      calls.set(request.id, ended)
      void run(connection, request, call, ended.signal)
        .then(
          (answer) => made.onmessage?.(answer),
          () => {}
        )
        .finally(() => calls.delete(request.id))
      return Promise.resolve()
    }
  }
  return made
}

/** A fetch all of whose requests are those of `call`. */
export const fetch =
  (connection: McpConnection, call: CallContext): FetchLike =>
  async (_url, init) => {
    if (init?.method !== "POST") return new Response(null, { status: 405 })
    const request = MockMessages.read(json(await new Response(init.body).text()))
    if (request === undefined) return new Response(null, { status: 202 })
    return Response.json(await run(connection, request, call, init.signal ?? undefined))
  }

/** An `HttpClient` whose requests are those of the `CurrentCall` of the fiber; the handshake is that of `owner`. */
export const httpClient = (connection: McpConnection, owner: CallContext): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal, fiber) => {
    const text = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
    const message = MockMessages.read(json(text))
    const ofOwner = message === undefined || message.method === "initialize" || message.method === "server/discover"
    const call = ofOwner ? owner : fiber.getRef(CurrentCall)
    if (call.principal !== owner.principal) {
      const reason = new PrincipalMismatch({ connection: owner.principal, call: call.principal })
      return Effect.fail(failed(request, new McpError({ server: connection.server, reason })))
    }
    const body = text === "" ? {} : { body: text }
    return Effect.map(
      Effect.tryPromise({
        try: () => fetch(connection, call)(url, { method: request.method, signal, ...body }),
        catch: (cause) => failed(request, cause)
      }),
      (response) => HttpClientResponse.fromWeb(request, response)
    )
  })

const failed = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

const run = (
  connection: McpConnection,
  request: MockMessages.Request,
  call: CallContext,
  signal: AbortSignal | undefined
): Promise<MockMessages.Answer> =>
  Effect.runPromise(
    Effect.provideService(MockMessages.answer(connection, request), CurrentCall, call),
    signal === undefined ? {} : { signal }
  )

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
