/**
 * The server's side of one HTTP+SSE session (2024-11-05): what the server says goes out as events of one stream, and what
 * the client posts is handed in from outside. The official SDK's server packages have no such transport any more.
 */
import type { JSONRPCMessage, MessageExtraInfo, Transport } from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"
import type * as Http from "node:http"

/** Milliseconds after which a client is told to open a stream again that broke. */
const RECONNECT_DELAY = 20

export class LoopbackSseStream implements Transport {
  readonly sessionId: string = randomUUID()
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage, extra?: MessageExtraInfo) => void
  private readonly response: Http.ServerResponse

  constructor(response: Http.ServerResponse) {
    this.response = response
  }

  /** Begins the stream. */
  start(): Promise<void> {
    this.response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
    this.response.write(`retry: ${RECONNECT_DELAY}\n\n`)
    return Promise.resolve()
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.event("message", JSON.stringify(message))
    return Promise.resolve()
  }

  /** Sends an event; `data` has no line breaks. */
  event(name: string, data: string): void {
    this.response.write(`event: ${name}\ndata: ${data}\n\n`)
  }

  /** Ends the stream. */
  close(): Promise<void> {
    this.response.end()
    this.onclose?.()
    return Promise.resolve()
  }
}
