/**
 * What a loopback server does to a request instead of answering it: another status, a redirect, silence, a broken
 * socket, an answer that never ends.
 *
 * Faults wait in a queue; each request meets the first that applies to it, which is used up after its `times`.
 */
import type * as Http from "node:http"
import * as Zlib from "node:zlib"
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
  readonly body?: Body | ((request: RecordedRequest) => Body)
}

type Body = string | Uint8Array

/** Where an answer breaks off: without a byte, after the headers of an event stream, or within a JSON body. */
export type Place = "before headers" | "after headers" | "within body"

/** Keeps the socket open and says nothing more: no byte, no end. */
export interface Hang extends Trigger {
  readonly hang: Place
}

/** Closes the socket. */
export interface Close extends Trigger {
  readonly close: Place
}

/** Resets the socket (RST): the client reads `ECONNRESET`. */
export interface Reset extends Trigger {
  readonly reset: Place
}

/**
 * An answer that goes on until the client gives up: header fields without end, one JSON body, one event of a stream, or
 * a stream of nothing but comments.
 */
export interface Trickle extends Trigger {
  readonly trickle: "headers" | "body" | "event" | "comments"
  /** Milliseconds between two pieces; 0 floods. */
  readonly interval: number
  /** Of one piece. Default 1. */
  readonly bytes?: number
}

export type Fault = Answer | Hang | Close | Reset | Trickle

/** A redirect to `location`. */
export const redirect = (status: 301 | 302 | 303 | 307 | 308, location: string): Answer => ({
  status,
  headers: { location }
})

/** A refusal for now; `retryAfter` is the value of the field as it is sent: seconds, a date, or what neither is. */
export const retryLater = (status: 429 | 503, retryAfter: string): Answer => ({
  status,
  headers: { "retry-after": retryAfter }
})

/** What a legacy server says of a session that it does not know any more. */
export const sessionNotFound: Answer = {
  status: 404,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32_001, message: "Session not found" } })
}

/** An error whose body repeats the Authorization field that was received, as a careless proxy does (fault F83). */
export const echoAuthorization = (status: number): Answer => ({
  status,
  headers: { "content-type": "text/plain" },
  body: (request) => `refused: ${request.headers.get("authorization") ?? "no credential"}`
})

/** An answer with at least `bytes` bytes of header fields, none longer than 1 KiB. */
export const headerFlood = (bytes: number): Answer => {
  const fields = Array.from({ length: Math.ceil(bytes / FIELD_BYTES) }, (_, index) => [`x-flood-${index}`, FIELD_VALUE])
  return { status: 200, headers: { "content-type": "application/json", ...Object.fromEntries(fields) }, body: "{}" }
}

/** An answer in an encoding that nobody asked for. */
export const compressed = (
  encoding: "gzip" | "deflate" | "br",
  body: string | ((request: RecordedRequest) => string)
): Answer => ({
  status: 200,
  headers: { "content-type": "application/json", "content-encoding": encoding },
  body: (request) => COMPRESSORS[encoding](typeof body === "function" ? body(request) : body)
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
  if (fault.delay !== undefined) await sleep(fault.delay)
  if ("status" in fault) {
    response.writeHead(fault.status, { ...fault.headers })
    response.end(typeof fault.body === "function" ? fault.body(request) : fault.body)
    return
  }
  if ("hang" in fault) return begin(fault.hang, response)
  if ("trickle" in fault) return trickle(fault, response)
  const place = "close" in fault ? fault.close : fault.reset
  begin(place, response)
  // The bytes leave with the next turn of the event loop; destroying at once would drop them.
  if (place !== "before headers") await sleep(FLUSH_DELAY)
  breakOff("close" in fault ? "close" : "reset", response)
}

/** How an answer that has begun ends: the socket closes, is reset, or stays open without another byte. */
export type Break = "close" | "reset" | "silence"

/** Breaks off the answer to a request. */
export const breakOff = (how: Break, response: Http.ServerResponse): void => {
  switch (how) {
    case "close":
      response.socket?.destroy()
      return
    case "reset":
      response.socket?.resetAndDestroy()
      return
    case "silence":
      // Never uncorked: what is written from now on stays here.
      response.socket?.cork()
  }
}

/** Milliseconds that written bytes get to leave before the socket is destroyed. */
const FLUSH_DELAY = 10
const FIELD_VALUE = "x".repeat(1000)
const FIELD_BYTES = FIELD_VALUE.length + "x-flood-0: \r\n".length

const COMPRESSORS = {
  gzip: (body: string) => Zlib.gzipSync(body),
  deflate: (body: string) => Zlib.deflateSync(body),
  br: (body: string) => Zlib.brotliCompressSync(body)
} as const

const begin = (place: Place, response: Http.ServerResponse): void => {
  if (place === "after headers") {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
  }
  if (place === "within body") {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1024" })
    response.write('{"jsonrpc":"2.0",')
  }
}

const trickle = async (fault: Trickle, response: Http.ServerResponse): Promise<void> => {
  const { socket } = response
  const filling = "x".repeat(fault.bytes ?? 1)
  const piece = { headers: `x-more: ${filling}\r\n`, body: filling, event: filling, comments: `: ${filling}\n\n` }
  // Node writes header fields all at once: those that trickle go to the socket itself.
  const target = fault.trickle === "headers" ? socket : response
  if (fault.trickle === "headers") socket?.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
  else response.writeHead(200, { "content-type": fault.trickle === "body" ? "application/json" : "text/event-stream" })
  if (fault.trickle === "body") response.write('{"jsonrpc":"2.0","padding":"')
  if (fault.trickle === "event") response.write("data: ")
  while (response.socket?.destroyed === false) {
    // One that does not read is written to when it has read.
    if (target?.writableNeedDrain !== true) target?.write(piece[fault.trickle])
    await sleep(fault.interval)
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
