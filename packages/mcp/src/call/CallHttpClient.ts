/**
 * An `HttpClient` of `effect/http` whose requests carry the headers of whoever runs them, for `McpClient.http` of
 * `effect/ai`.
 *
 * A request that holds a JSON-RPC request or a cancellation is one of the `CurrentCall` of the fiber that runs it. What
 * a connection sends for itself (the handshake, DELETE, replies to the server) carries the headers of its owner,
 * whichever fiber runs it. A call of another principal than the owner's is refused before anything is sent.
 *
 * No redirect is followed to another origin or path; 401 is answered here. Errors are `HttpClientError`s whose cause is
 * the `McpError`. A span is not made and no `traceparent` or `b3` is sent unless the fiber asks for it, by setting
 * `HttpClient.TracerDisabledWhen` or `HttpClient.TracerPropagationEnabled`.
 */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import type { CallFetch } from "./CallFetch.ts"
import { CallResponse } from "./CallResponse.ts"
import { HttpResponse } from "../http/HttpResponse.ts"
import { McpError, PrincipalMismatch } from "../McpError.ts"
import * as MessageFacts from "../message/MessageFacts.ts"

export const make = (fetch: CallFetch, server: string, owner: CallContext): HttpClient.HttpClient => {
  const client = HttpClient.make((request, url, signal, fiber) => {
    // Errors quote the URL of their request, and a path and a query may hold a key.
    const shown = HttpClientRequest.setUrl(request, url.origin)
    const failed = (cause: unknown) => {
      const description = cause instanceof McpError ? { description: cause.message } : {}
      return new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request: shown, cause, ...description })
      })
    }
    const services: Context.Context<never> = fiber.context
    return Effect.flatMap(bodyOf(request), (body) => {
      const message = MessageFacts.read(textOf(body))
      const call = message === undefined || OF_CONNECTION.has(message.method) ? owner : fiber.getRef(CurrentCall)
      if (call.principal !== owner.principal) {
        const reason = new PrincipalMismatch({ connection: owner.principal, call: call.principal })
        return Effect.fail(failed(new McpError({ server, reason })))
      }
      const init = { method: request.method, headers: request.headers, signal, ...(body === undefined ? {} : { body }) }
      return Effect.map(
        Effect.tryPromise({
          try: () => fetch(call, services, call === owner ? undefined : message, url, init),
          catch: failed
        }),
        (response) =>
          response instanceof HttpResponse
            ? new CallResponse(shown, response)
            : HttpClientResponse.fromWeb(shown, response)
      )
    })
  })
  return HttpClient.transform(client, (effect) => Effect.withFiber(({ context }) => quietly(effect, context)))
}

/** What a client sends for its connection, not for whoever runs it. */
const OF_CONNECTION: ReadonlySet<string> = new Set(["initialize", "server/discover", "ping"])

type Body = string | Uint8Array<ArrayBuffer> | FormData | undefined

/** Bytes in memory that nobody else has: those of another thread may change while they are written. */
const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => (isOwn(bytes) ? bytes : new Uint8Array(bytes))

const isOwn = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> => bytes.buffer instanceof ArrayBuffer

const textOf = (body: Body): string => {
  if (body instanceof Uint8Array) return new TextDecoder().decode(body)
  return typeof body === "string" ? body : ""
}

/** The body in a form that fetch takes. */
const bodyOf = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Body, HttpClientError.HttpClientError> => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.undefined
    case "Uint8Array":
      return Effect.succeed(ownBytes(body.body))
    case "FormData":
      return Effect.succeed(body.formData)
    case "Raw":
      return typeof body.body === "string"
        ? Effect.succeed(body.body)
        : Effect.fail(unencoded(request, "the body is neither text nor bytes nor a stream of them"))
    case "Stream":
      return Effect.mapError(Stream.mkUint8Array(body.stream), () =>
        unencoded(request, "the body broke off while it was read")
      )
    default:
      return body satisfies never
  }
}

const unencoded = (request: HttpClientRequest.HttpClientRequest, description: string) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.EncodeError({ request, description }) })

/** Tells the server nothing of our traces that nobody asked for. */
const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>, context: Context.Context<never>) => {
  if (Context.getOrUndefined(context, HttpClient.TracerPropagationEnabled) === true) return effect
  return Context.getOrUndefined(context, HttpClient.TracerDisabledWhen) === undefined
    ? Effect.provideService(effect, HttpClient.TracerDisabledWhen, ALWAYS)
    : Effect.provideService(effect, HttpClient.TracerPropagationEnabled, false)
}

const ALWAYS = () => true
