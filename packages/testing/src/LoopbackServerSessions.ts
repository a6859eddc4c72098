/**
 * The sessions of a legacy loopback server (MCP up to 2025-11-25): one transport and one server for each
 * `Mcp-Session-Id`, with the events of each stream kept so that a client can resume it.
 */
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node"
import { type EventStore, isInitializeRequest, type JSONRPCMessage, type McpServer } from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"
import type * as Http from "node:http"
import { type Changed, notifyChanged, notifyUpdated } from "./LoopbackServerTools.ts"

/** Milliseconds after which a client is told to resume a stream that was closed. */
const RESUME_DELAY = 20

interface Session {
  readonly transport: NodeStreamableHTTPServerTransport
  readonly server: McpServer
  readonly events: StreamEvents
}

export class Sessions {
  private readonly sessions = new Map<string, Session>()
  private readonly makeServer: () => McpServer
  private readonly responses: "json" | "sse"
  private readonly keepAlive: number

  constructor(options: {
    readonly makeServer: () => McpServer
    readonly responses: "json" | "sse"
    readonly keepAlive: number
  }) {
    this.makeServer = options.makeServer
    this.responses = options.responses
    this.keepAlive = options.keepAlive
  }

  /** The ids of the open sessions, oldest first. */
  ids(): ReadonlyArray<string> {
    return [...this.sessions.keys()]
  }

  /** The JSON-RPC id of the request that the stream of an event answers. */
  requestOf(sessionId: string, eventId: string): string | number | undefined {
    return this.sessions.get(sessionId)?.events.requestOf(eventId)
  }

  async handle(request: Http.IncomingMessage, response: Http.ServerResponse, message: unknown): Promise<void> {
    const id = request.headers["mcp-session-id"]
    if (id === undefined) {
      if (!isInitializeRequest(message)) return refuse(response, 400, "Bad Request: no session; initialize first")
      const session = await this.open()
      return session.transport.handleRequest(request, response, message)
    }
    const session = typeof id === "string" ? this.sessions.get(id) : undefined
    if (session === undefined) return refuse(response, 404, "Session not found")
    return session.transport.handleRequest(request, response, message)
  }

  /** Tells every session that a list changed, on its GET stream. */
  async notifyChanged(list: Changed): Promise<void> {
    for (const { server } of this.sessions.values()) notifyChanged(server, list)
  }

  /** Tells the sessions that have subscribed to a resource that it changed, on their GET streams. */
  async notifyUpdated(uri: string): Promise<void> {
    for (const { server } of this.sessions.values()) await notifyUpdated(server, uri)
  }

  /** Says something in the log of every session, on its GET stream. */
  async log(data: string): Promise<void> {
    for (const { server } of this.sessions.values()) await server.sendLoggingMessage({ level: "info", data })
  }

  /** Closes the GET stream of every session; a client opens it again. */
  closeStreams(): void {
    for (const { transport } of this.sessions.values()) transport.closeStandaloneSSEStream()
  }

  /** Ends every session; a client that uses one is answered 404. */
  async endAll(): Promise<void> {
    const ended = [...this.sessions.values()]
    this.sessions.clear()
    for (const { server } of ended) await server.close()
  }

  private async open(): Promise<Session> {
    const events = new StreamEvents()
    const server = this.makeServer()
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: this.responses === "json",
      eventStore: events,
      retryInterval: RESUME_DELAY,
      keepAliveMs: this.keepAlive,
      onsessioninitialized: (id) => void this.sessions.set(id, session),
      onsessionclosed: (id) => void this.sessions.delete(id)
    })
    const session: Session = { transport, server, events }
    await server.connect(transport)
    return session
  }
}

/** The events of the streams of one session; an event's id is its stream's id and its number there. */
class StreamEvents implements EventStore {
  private readonly streams = new Map<string, Array<JSONRPCMessage>>()

  storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const events = this.streams.get(streamId) ?? []
    this.streams.set(streamId, events)
    events.push(message)
    return Promise.resolve(`${streamId}:${events.length - 1}`)
  }

  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    const streamId = streamOf(eventId)
    return Promise.resolve(this.streams.has(streamId) ? streamId : undefined)
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (eventId: string, message: JSONRPCMessage) => Promise<void> }
  ): Promise<string> {
    const streamId = streamOf(lastEventId)
    const events = this.streams.get(streamId) ?? []
    for (let index = numberOf(lastEventId) + 1; index < events.length; index += 1) {
      const message = events[index]
      // A stream begins with an event that has an id and no message.
      if (message !== undefined && Object.keys(message).length > 0) await send(`${streamId}:${index}`, message)
    }
    return streamId
  }

  requestOf(eventId: string): string | number | undefined {
    const answer = this.streams.get(streamOf(eventId))?.find((message) => "result" in message || "error" in message)
    return answer !== undefined && "id" in answer ? answer.id : undefined
  }
}

const streamOf = (eventId: string): string => eventId.slice(0, eventId.lastIndexOf(":"))

const numberOf = (eventId: string): number => Number(eventId.slice(eventId.lastIndexOf(":") + 1))

const refuse = (response: Http.ServerResponse, status: number, message: string): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32_000, message } }))
}
