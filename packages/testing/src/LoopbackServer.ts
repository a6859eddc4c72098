/**
 * An MCP server on 127.0.0.1 for tests, built on the official SDK's server packages, that speaks Streamable HTTP in both
 * eras and records every HTTP request it receives.
 *
 * It demands whatever credential a test wants at the moment, and does to a request whatever a bad server or network
 * would (see `LoopbackServerFault`). The tools it offers are listed in `LoopbackServerTools`. It lives as long as its
 * scope: then its sessions end and its sockets are closed. `LoopbackSseServer` is its sibling for HTTP+SSE.
 */
import { type NodeIncomingMessageLike, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, isLegacyRequest } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import * as LoopbackListener from "./LoopbackListener.ts"
import {
  type Belonging,
  ControlState,
  type LoopbackServerControls,
  type LoopbackServerDemands,
  refuse,
  urlOf,
  withMarks
} from "./LoopbackServerControls.ts"
import { Sessions } from "./LoopbackServerSessions.ts"
import { type Changed, makeServer } from "./LoopbackServerTools.ts"
import { json, type RecordedRequest } from "./RecordedRequest.ts"

export type { Accept, Refusal } from "./LoopbackServerControls.ts"

export interface LoopbackServerOptions extends LoopbackServerDemands {
  /** `legacy`: MCP up to 2025-11-25. `modern`: 2026-07-28. */
  readonly era: "legacy" | "modern" | "both"
  /** How calls are answered: as one JSON body, or as an event stream. Default `json`. */
  readonly responses?: "json" | "sse"
  /** Milliseconds between two comments on a stream on which nothing else is said. Default: none are sent. */
  readonly keepAlive?: number
}

export interface LoopbackServer extends LoopbackServerControls {
  /** `http://127.0.0.1:PORT/mcp`. */
  readonly url: string
  /** The ids of the open MCP sessions (legacy). */
  readonly sessions: Effect.Effect<ReadonlyArray<string>>
  /** Ends all MCP sessions (legacy); a client that uses one is answered 404. */
  readonly endSessions: Effect.Effect<void>
  /** Closes the GET stream of each session (legacy). */
  readonly closeStreams: Effect.Effect<void>
  /** Tells clients that a list changed, on the streams they hold open. */
  readonly notifyChanged: (list: Changed) => Effect.Effect<void>
  /** Tells clients that have subscribed to a resource that it changed. */
  readonly notifyUpdated: (uri: string) => Effect.Effect<void>
  /** Tells clients that the list of tools changed. */
  readonly notifyToolsChanged: Effect.Effect<void>
  /** Says something in the log of each session, on its GET stream (legacy). */
  readonly log: (text: string) => Effect.Effect<void>
}

/** The path of the endpoint; others are recorded and answered 404. */
const ENDPOINT = "/mcp"

/** Listens until the scope closes. */
export const make = (options: LoopbackServerOptions): Effect.Effect<LoopbackServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { responses = "json", keepAlive = 0 } = options
    const state = new ControlState(options)
    const server = () => makeServer(state.slowCalls)

    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => new Sessions({ makeServer: server, responses, keepAlive })),
      (open) => Effect.promise(() => open.endAll())
    )
    const modern = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createMcpHandler(server, {
          legacy: "reject",
          responseMode: responses === "sse" ? "sse" : "auto",
          keepAliveMs: keepAlive
        })
      ),
      (handler) => Effect.promise(() => handler.close())
    )
    const answerModern = toNodeHandler(modern)

    const answer = async (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => {
      const recorded = await state.admit(request, response, body, [ENDPOINT])
      if (recorded === undefined) return
      const message = json(body)
      if (request.method === "POST" && message === undefined) return refuse(response, 400)
      return (await isLegacy(options.era, recorded, message))
        ? sessions.handle(request, response, message)
        : answerModern(messageLike(request), response, message)
    }

    const notifyChanged = (list: Changed) =>
      Effect.promise(() => {
        modern.notify[`${list}Changed`]()
        return sessions.notifyChanged(list)
      })

    const origin = yield* LoopbackListener.listen(answer)
    return {
      ...state.controls((requests) => withMarks(requests, belongingIn(sessions))),
      url: `${origin}${ENDPOINT}`,
      sessions: Effect.sync(() => sessions.ids()),
      endSessions: Effect.promise(() => sessions.endAll()),
      closeStreams: Effect.sync(() => sessions.closeStreams()),
      notifyChanged,
      notifyUpdated: (uri) =>
        Effect.promise(() => {
          modern.notify.resourceUpdated(uri)
          return sessions.notifyUpdated(uri)
        }),
      notifyToolsChanged: notifyChanged("tools"),
      log: (text) => Effect.promise(() => sessions.log(text))
    }
  })

const isLegacy = async (
  era: LoopbackServerOptions["era"],
  request: RecordedRequest,
  message: unknown
): Promise<boolean> => {
  if (era !== "both") return era === "legacy"
  const { httpMethod: method, headers } = request
  return isLegacyRequest(new Request(urlOf(request), { method, headers: [...headers] }), message)
}

/** The part of a Node request that the modern handler reads; its body was read before. */
const messageLike = (request: Http.IncomingMessage): NodeIncomingMessageLike => ({
  method: request.method ?? "GET",
  url: request.url ?? ENDPOINT,
  headers: request.headers,
  [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]()
})

const belongingIn =
  (sessions: Sessions) =>
  ({ headers, rpcMethod, rpcId }: RecordedRequest): Belonging => {
    const session = headers.get("mcp-session-id")
    const eventId = headers.get("last-event-id")
    if (rpcMethod === "notifications/cancelled") return { session, call: rpcId }
    if (eventId === undefined || session === undefined) return { session, call: undefined }
    return { session, call: sessions.requestOf(session, eventId) }
  }
