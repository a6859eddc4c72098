/**
 * What a loopback server does to a request instead of answering it: another status, a redirect, silence, a broken
 * socket.
 *
 * Faults wait in a queue; each request meets the first that applies to it, which is used up after its `times`.
 */
import type * as Http from "node:http"
import type { RecordedRequest } from "./RecordedRequest.ts"

interface Trigger {
  /** How many requests it befalls. Default 1. */
  readonly times?: number
  /** Which requests it befalls. Default: any. */
  readonly when?: (request: RecordedRequest) => boolean
  /** Milliseconds to wait before it. Default 0. */
  readonly delay?: number
}

/** Answers with this status. */
export interface Answer extends Trigger {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Default: empty. A function is given the request, to echo what it holds. */
  readonly body?: string | ((request: RecordedRequest) => string)
}

/** Keeps the socket open and says nothing more: at all, or after the headers of an event stream. */
export interface Hang extends Trigger {
  readonly hang: "before headers" | "after headers"
}

/** Closes the socket: without a byte, after the headers, or within a JSON body. */
export interface Close extends Trigger {
  readonly close: "before headers" | "after headers" | "within body"
}

export type Fault = Answer | Hang | Close

/** A redirect to `location`. */
export const redirect = (status: 301 | 302 | 303 | 307 | 308, location: string): Answer => ({
  status,
  headers: { location }
})

/** An error whose body repeats the Authorization field that was received, as a careless proxy does (fault F83). */
export const echoAuthorization = (status: number): Answer => ({
  status,
  headers: { "content-type": "text/plain" },
  body: (request) => `refused: ${request.headers.get("authorization") ?? "no credential"}`
})

/** The faults that wait for a request. */
export class FaultQueue {
  private waiting: Array<{ readonly fault: Fault; left: number }> = []

  add(fault: Fault): void {
    this.waiting.push({ fault, left: fault.times ?? 1 })
  }

  /** The fault that befalls this request. */
  take(request: RecordedRequest): Fault | undefined {
    const next = this.waiting.find(({ fault, left }) => left > 0 && (fault.when?.(request) ?? true))
    if (next === undefined) return undefined
    next.left -= 1
    this.waiting = this.waiting.filter(({ left }) => left > 0)
    return next.fault
  }

  clear(): void {
    this.waiting = []
  }
}

/** Lets a fault befall a request. */
export const apply = async (fault: Fault, request: RecordedRequest, response: Http.ServerResponse): Promise<void> => {
  if (fault.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delay))
  if ("status" in fault) {
    response.writeHead(fault.status, { ...fault.headers })
    response.end(typeof fault.body === "function" ? fault.body(request) : fault.body)
    return
  }
  if ("hang" in fault) {
    if (fault.hang === "after headers") startStream(response)
    return
  }
  switch (fault.close) {
    case "before headers":
      response.socket?.destroy()
      return
    case "after headers":
      startStream(response)
      break
    case "within body":
      response.writeHead(200, { "content-type": "application/json", "content-length": "1024" })
      response.write('{"jsonrpc":"2.0",')
      break
  }
  // The bytes leave with the next turn of the event loop; destroying at once would drop them.
  setTimeout(() => response.socket?.destroy(), FLUSH_DELAY)
}

/** Milliseconds that written bytes get to leave before the socket is destroyed. */
const FLUSH_DELAY = 10

const startStream = (response: Http.ServerResponse): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.flushHeaders()
}
