/**
 * A fetch each of whose requests belongs to one call, for code that builds a transport of its own.
 *
 * Where a body holds a JSON-RPC request, its context has the method and the tool of it. Errors reject with the same
 * `McpError` as on a connection of `connect`; what a signal ends rejects with the signal's reason. In an answer that is an
 * error what was sent is masked. A client that several
 * sessions share needs a transport of `McpTransport.transport` instead: here all requests are those of one call.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import type { ConnectionHeaders } from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Dispatcher } from "undici"
import { Call } from "./Call.ts"
import { CallCorrelation } from "./CallCorrelation.ts"
import { ConnectionClosed, McpError } from "../McpError.ts"
import * as Masking from "../failure/Masking.ts"
import * as MessageFacts from "../message/MessageFacts.ts"
import * as RequestFailure from "../failure/RequestFailure.ts"
import { RequestGroup } from "../http/RequestGroup.ts"
import { RequestHeaders } from "../http/RequestHeaders.ts"

export interface CallFetchOptions {
  readonly entry: ServerEntry
  /** On whose behalf it is opened. */
  readonly owner: CallContext
  readonly headers: ConnectionHeaders
  readonly dispatcher: Dispatcher
  /** What the layer was built with. */
  readonly services: Context.Context<never>
  /** Makes up the id of a call that has none. */
  readonly nextCallId: () => string
}

/** Sends a request as one of a call. */
export type CallFetch = (
  call: CallContext,
  services: Context.Context<never>,
  facts: MessageFacts.MessageFacts | undefined,
  ...request: Parameters<FetchLike>
) => Promise<Response>

/** The fetch of an entry, until the scope closes: then what is under way is aborted, and nothing more is sent. */
export const make = Effect.fnUntraced(function* (
  options: CallFetchOptions
): Effect.fn.Return<CallFetch, never, Scope.Scope> {
  const { dispatcher, entry, headers, nextCallId } = options
  const owner = new Call(
    { principal: options.owner.principal, server: entry.name },
    yield* Effect.context(),
    {},
    options.services
  )
  const group = new RequestGroup()
  const requests = new RequestHeaders({
    server: entry.name,
    headers,
    group,
    correlation: new CallCorrelation(),
    owner,
    dispatcher,
    // A client that speaks HTTP+SSE sends to the path that the server names.
    paths: entry.endpoint.type === "http" && entry.endpoint.transport === "http" ? "endpoint" : "origin"
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => group.close(new McpError({ server: entry.name, reason: new ConnectionClosed(CLOSED) })))
  )
  return async (context, services, facts, input, init) => {
    const { method: _method, tool: _tool, ...who } = context
    const call = new Call({ ...who, server: entry.name }, services, {}, options.services)
    const asking =
      facts === undefined ? call : call.asking({ server: entry.name, nextCallId, ...facts }, options.services)
    try {
      const response = await requests.fetchFor(asking)(input, init)
      return response.status < FIRST_ERROR ? response : masked(response, call)
    } catch (error) {
      const reason = RequestFailure.find(error)
      throw reason === undefined ? error : new McpError({ server: entry.name, reason })
    }
  }
})

/** A plain fetch whose requests are all those of one call. */
export const boundTo =
  (fetch: CallFetch, call: CallContext): FetchLike =>
  (input, init) => {
    const facts = typeof init?.body === "string" ? MessageFacts.read(init.body) : undefined
    return fetch(call, Context.empty(), facts, input, init)
  }

const FIRST_ERROR = 400

/** An answer that is an error, with what the call sent masked in its text when that is read (fault F83). */
const masked = (response: Response, call: Call): Response => {
  const { body, headers, status, statusText } = response
  if (body === null) return response
  const fields = new Headers(headers)
  fields.delete("content-length")
  const text = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      controller.enqueue(new TextEncoder().encode(Masking.mask(await response.text(), call.sent)))
      controller.close()
    },
    cancel: (reason) => body.cancel(reason)
  })
  return new Response(text, { headers: fields, status, statusText })
}

const CLOSED = { description: "the scope that this fetch was made in is closed; nothing more is sent" }
