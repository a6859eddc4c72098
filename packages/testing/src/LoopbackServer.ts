/**
 * An MCP server on 127.0.0.1 for tests, built on the official SDK's server packages, that speaks both eras and records
 * every HTTP request it receives.
 *
 * It demands whatever credential a test wants at the moment, and does to a request whatever a bad server or network
 * would (see `LoopbackServerFault`). The tools it offers are listed in `LoopbackServerTools`. It lives as long as its
 * scope: then its sessions end and its sockets are closed.
 */
import { type NodeIncomingMessageLike, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, isLegacyRequest } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import * as LoopbackListener from "./LoopbackListener.ts"
import { apply, type Fault, FaultQueue } from "./LoopbackServerFault.ts"
import { Sessions } from "./LoopbackServerSessions.ts"
import { TokenList } from "./LoopbackServerTokens.ts"
import { makeServer, type SlowCall, type SlowCalls } from "./LoopbackServerTools.ts"
import { json, type RecordedRequest } from "./RecordedRequest.ts"
import { RequestLog } from "./RequestLog.ts"

/** The answer to a request whose credential is not accepted; a number is the status alone. */
export type Refusal =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

/** Decides over a request before MCP does: a refusal, or `undefined` to let it pass. */
export type Accept = (headers: ReadonlyMap<string, string>, request: RecordedRequest) => Refusal | undefined

export interface LoopbackServerOptions {
  /** `legacy`: MCP up to 2025-11-25. `modern`: 2026-07-28. */
  readonly era: "legacy" | "modern" | "both"
  /** How calls are answered: as one JSON body, or as an event stream. Default `json`. */
  readonly responses?: "json" | "sse"
  /** Which requests to refuse at first. Default: none. */
  readonly accept?: Accept
  /** Absolute path of a file in which a process registers the tokens it issues; see `LoopbackServerTokens`. */
  readonly tokensFile?: string
  /** Whether `Authorization: Bearer` with an accepted token is demanded at first. Default: where there is a `tokensFile`. */
  readonly demandToken?: boolean
}

export interface LoopbackServer {
  /** `http://127.0.0.1:PORT/mcp`. */
  readonly url: string
  /** Every HTTP request, in order, whatever its path. */
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** Forgets the requests and slow calls so far; sessions, demands, tokens and faults stay. */
  readonly clear: Effect.Effect<void>
  /** Replaces `accept`. */
  readonly demand: (accept: Accept) => Effect.Effect<void>
  /** Nothing is demanded any more, no token either. */
  readonly demandNothing: Effect.Effect<void>
  readonly tokens: {
    /** From now on a token is demanded. */
    readonly demand: Effect.Effect<void>
    /** Accepts a token until `expiresAt`, epoch milliseconds; default for ever. */
    readonly accept: (token: string, expiresAt?: number) => Effect.Effect<void>
    /** Withdraws every token known by now, those in the file included. */
    readonly expireAll: Effect.Effect<void>
  }
  /** What happens to the next request that it applies to; several wait in order. */
  readonly respondNext: (fault: Fault) => Effect.Effect<void>
  /** Forgets the faults that wait. */
  readonly clearFaults: Effect.Effect<void>
  /** The calls of the tool `slow`, in the order they arrived. */
  readonly slowCalls: Effect.Effect<ReadonlyArray<SlowCall>>
  /** The ids of the open MCP sessions (legacy). */
  readonly sessions: Effect.Effect<ReadonlyArray<string>>
  /** Ends all MCP sessions (legacy); a client that uses one is answered 404. */
  readonly endSessions: Effect.Effect<void>
  /** Closes the GET stream of each session (legacy). */
  readonly closeStreams: Effect.Effect<void>
  /** Tells clients that the list of tools changed, on the streams they hold open. */
  readonly notifyToolsChanged: Effect.Effect<void>
}

/** The path of the endpoint; others are recorded and answered 404. */
const ENDPOINT = "/mcp"

/** Listens until the scope closes. */
export const make = (options: LoopbackServerOptions): Effect.Effect<LoopbackServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const responses = options.responses ?? "json"
    const log = new RequestLog()
    const faults = new FaultQueue()
    const tokens = new TokenList(options.tokensFile)
    const slowCalls: SlowCalls = []
    let accept: Accept = options.accept ?? acceptAll
    let tokenDemanded = options.demandToken ?? options.tokensFile !== undefined

    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => new Sessions({ makeServer: () => makeServer(slowCalls), responses })),
      (open) => Effect.promise(() => open.endAll())
    )
    const modern = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createMcpHandler(() => makeServer(slowCalls), {
          legacy: "reject",
          responseMode: responses === "sse" ? "sse" : "auto",
          keepAliveMs: 0
        })
      ),
      (handler) => Effect.promise(() => handler.close())
    )
    const answerModern = toNodeHandler(modern)

    const refusal = (request: RecordedRequest): Refusal | undefined => {
      const refused = accept(request.headers, request)
      if (refused !== undefined || !tokenDemanded) return refused
      return tokens.accepts(request.headers.get("authorization")) ? undefined : 401
    }

    const answer = async (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => {
      const recorded = log.add(request, response, body)
      const fault = faults.take(recorded)
      if (fault !== undefined) return apply(fault, recorded, response)
      if (new URL(recorded.path, "http://127.0.0.1").pathname !== ENDPOINT) return refuse(response, 404)
      const refused = refusal(recorded)
      if (refused !== undefined) return refuse(response, refused)

      const message = json(body)
      if (request.method === "POST" && message === undefined) return refuse(response, 400)
      return (await isLegacy(options.era, recorded, message))
        ? sessions.handle(request, response, message)
        : answerModern(messageLike(request), response, message)
    }

    const origin = yield* LoopbackListener.listen(answer)
    return {
      url: `${origin}${ENDPOINT}`,
      requests: Effect.sync(() => withMarks(log.list(), sessions)),
      clear: Effect.sync(() => {
        log.clear()
        slowCalls.length = 0
      }),
      demand: (next) =>
        Effect.sync(() => {
          accept = next
        }),
      demandNothing: Effect.sync(() => {
        accept = acceptAll
        tokenDemanded = false
      }),
      tokens: {
        demand: Effect.sync(() => {
          tokenDemanded = true
        }),
        accept: (token, expiresAt) => Effect.sync(() => tokens.accept(token, expiresAt)),
        expireAll: Effect.sync(() => tokens.expireAll())
      },
      respondNext: (fault) => Effect.sync(() => faults.add(fault)),
      clearFaults: Effect.sync(() => faults.clear()),
      slowCalls: Effect.sync(() => [...slowCalls]),
      sessions: Effect.sync(() => sessions.ids()),
      endSessions: Effect.promise(() => sessions.endAll()),
      closeStreams: Effect.sync(() => sessions.closeStreams()),
      notifyToolsChanged: Effect.promise(() => {
        modern.notify.toolsChanged()
        return sessions.notifyToolsChanged()
      })
    }
  })

const acceptAll: Accept = () => undefined

const isLegacy = async (
  era: LoopbackServerOptions["era"],
  request: RecordedRequest,
  message: unknown
): Promise<boolean> => {
  if (era !== "both") return era === "legacy"
  const { httpMethod: method, path, headers } = request
  return isLegacyRequest(new Request(new URL(path, "http://127.0.0.1"), { method, headers: [...headers] }), message)
}

/** The part of a Node request that the modern handler reads; its body was read before. */
const messageLike = (request: Http.IncomingMessage): NodeIncomingMessageLike => ({
  method: request.method ?? "GET",
  url: request.url ?? ENDPOINT,
  headers: request.headers,
  [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]()
})

const refuse = (response: Http.ServerResponse, refusal: Refusal): void => {
  const { status, headers, body } = typeof refusal === "number" ? { status: refusal, ...UNEXPLAINED } : refusal
  response.writeHead(status, {
    ...(status === 401 ? { "www-authenticate": 'Bearer realm="loopback"' } : {}),
    "content-type": "application/json",
    ...headers
  })
  response.end(body ?? JSON.stringify({ error: "refused" }))
}

const UNEXPLAINED: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {}

/** Gives cancelled notifications and resumed streams the mark of the call that they belong to. */
const withMarks = (requests: ReadonlyArray<RecordedRequest>, sessions: Sessions): ReadonlyArray<RecordedRequest> => {
  const marks = new Map<string, string>()
  for (const { headers, rpcId, sessionMark } of requests) {
    if (sessionMark !== undefined) marks.set(markKey(headers, rpcId), sessionMark)
  }
  return requests.map((request) => {
    if (request.sessionMark !== undefined) return request
    const mark = marks.get(markKey(request.headers, relatedId(request, sessions)))
    return mark === undefined ? request : { ...request, sessionMark: mark }
  })
}

/** The id of the call that a request without a mark belongs to. */
const relatedId = (request: RecordedRequest, sessions: Sessions): string | number | undefined => {
  if (request.rpcMethod === "notifications/cancelled") return request.rpcId
  const eventId = request.headers.get("last-event-id")
  const sessionId = request.headers.get("mcp-session-id")
  return eventId === undefined || sessionId === undefined ? undefined : sessions.requestOf(sessionId, eventId)
}

/** JSON-RPC ids count per session. */
const markKey = (headers: RecordedRequest["headers"], rpcId: string | number | undefined): string =>
  JSON.stringify([headers.get("mcp-session-id") ?? "", rpcId ?? null])
