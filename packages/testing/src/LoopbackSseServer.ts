/**
 * An MCP server on 127.0.0.1 for tests that speaks the deprecated HTTP+SSE transport (2024-11-05) and records every HTTP
 * request it receives: a GET opens the stream of a session, whose first event names the endpoint that takes its POSTs.
 *
 * It differs from `LoopbackServer` in its transport alone: demands, tokens, faults and tools are the same. What a client
 * tries first, a POST of Streamable HTTP to the URL of the stream, is refused with whatever a test wants.
 */
import { type McpServer, parseJSONRPCMessage } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import * as LoopbackListener from "./LoopbackListener.ts"
import {
  type Belonging,
  ControlState,
  type LoopbackServerControls,
  type LoopbackServerDemands,
  type Refusal,
  refuse,
  urlOf,
  withMarks
} from "./LoopbackServerControls.ts"
import { type Changed, makeServer, notifyChanged } from "./LoopbackServerTools.ts"
import { LoopbackSseStream } from "./LoopbackSseStream.ts"
import { json, type RecordedRequest } from "./RecordedRequest.ts"

/** What the `endpoint` event of a session's stream says; `undefined`: there is no such event. */
export type Endpoint = (sessionId: string) => string | undefined

export interface LoopbackSseServerOptions extends LoopbackServerDemands {
  /** The answer to a POST to the URL of the stream at first. Default 405. */
  readonly streamable?: Refusal
  /** Default: `/messages?sessionId=ID`. */
  readonly endpoint?: Endpoint
}

export interface LoopbackSseServer extends LoopbackServerControls {
  /** `http://127.0.0.1:PORT/sse`, where a GET opens a stream. */
  readonly url: string
  /** The ids of the sessions, each with an open stream. */
  readonly sessions: Effect.Effect<ReadonlyArray<string>>
  /** Ends every stream, and with it its session: a POST of one is answered 404 afterwards. */
  readonly closeStreams: Effect.Effect<void>
  /** Replaces what the next `endpoint` events say. */
  readonly announce: (endpoint: Endpoint) => Effect.Effect<void>
  /** Replaces the answer to a POST to the URL of the stream. */
  readonly refuseStreamable: (refusal: Refusal) => Effect.Effect<void>
  /** Tells the clients that a list changed. */
  readonly notifyChanged: (list: Changed) => Effect.Effect<void>
  /** Says something in the log of each session. */
  readonly log: (text: string) => Effect.Effect<void>
}

const STREAM_PATH = "/sse"
const MESSAGES_PATH = "/messages"
const SESSION_PARAMETER = "sessionId"

/** Listens until the scope closes. */
export const make = (options: LoopbackSseServerOptions = {}): Effect.Effect<LoopbackSseServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const state = new ControlState(options)
    let streamable = options.streamable ?? 405
    let endpoint: Endpoint = options.endpoint ?? ownEndpoint
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => new Map<string, Session>()),
      (open) => Effect.promise(() => endAll(open))
    )

    const openStream = async (response: Http.ServerResponse): Promise<void> => {
      const stream = new LoopbackSseStream(response)
      const server = makeServer(state.slowCalls)
      sessions.set(stream.sessionId, { stream, server })
      response.once("close", () => {
        sessions.delete(stream.sessionId)
        void server.close()
      })
      await server.connect(stream)
      const announced = endpoint(stream.sessionId)
      if (announced !== undefined) stream.event("endpoint", announced)
    }

    const takeMessage = (recorded: RecordedRequest, response: Http.ServerResponse): void => {
      const session = sessions.get(sessionOf(recorded) ?? "")
      if (session === undefined) return refuse(response, 404)
      const message = json(recorded.body)
      if (message === undefined) return refuse(response, 400)
      response.writeHead(202).end("Accepted")
      const request = new Request(urlOf(recorded), { method: "POST", headers: [...recorded.headers] })
      session.stream.onmessage?.(parseJSONRPCMessage(message), { request })
    }

    const answer = async (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => {
      const recorded = await state.admit(request, response, body, [STREAM_PATH, MESSAGES_PATH])
      if (recorded === undefined) return
      const isStream = urlOf(recorded).pathname === STREAM_PATH
      if (recorded.httpMethod === "GET" && isStream) return openStream(response)
      if (recorded.httpMethod !== "POST") return refuse(response, 405)
      return isStream ? refuse(response, streamable) : takeMessage(recorded, response)
    }

    const origin = yield* LoopbackListener.listen(answer)
    return {
      ...state.controls((requests) => withMarks(requests, belonging)),
      url: `${origin}${STREAM_PATH}`,
      sessions: Effect.sync(() => [...sessions.keys()]),
      closeStreams: Effect.promise(() => endAll(sessions)),
      announce: (next) =>
        Effect.sync(() => {
          endpoint = next
        }),
      refuseStreamable: (refusal) =>
        Effect.sync(() => {
          streamable = refusal
        }),
      notifyChanged: (list) =>
        Effect.sync(() => {
          for (const { server } of sessions.values()) notifyChanged(server, list)
        }),
      log: (data) =>
        Effect.promise(async () => {
          for (const { server } of sessions.values()) await server.sendLoggingMessage({ level: "info", data })
        })
    }
  })

interface Session {
  readonly stream: LoopbackSseStream
  readonly server: McpServer
}

const ownEndpoint: Endpoint = (sessionId) => `${MESSAGES_PATH}?${SESSION_PARAMETER}=${sessionId}`

const endAll = async (sessions: Map<string, Session>): Promise<void> => {
  const ended = [...sessions.values()]
  sessions.clear()
  for (const { server } of ended) await server.close()
}

const sessionOf = (request: RecordedRequest): string | undefined =>
  urlOf(request).searchParams.get(SESSION_PARAMETER) ?? undefined

const belonging = (request: RecordedRequest): Belonging => ({
  session: sessionOf(request),
  call: request.rpcMethod === "notifications/cancelled" ? request.rpcId : undefined
})
