/** What befalls one call in a hundred: every kind of fault that a server or a network has, in turn. */
import * as LoopbackServerFault from "@letterhead/testing/LoopbackServerFault"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"

export interface NamedFault {
  readonly name: string
  readonly fault: LoopbackServerFault.Fault
}

const isCall = ({ rpcMethod }: RecordedRequest): boolean => rpcMethod === "tools/call"

const HTML = { "content-type": "text/html" }
const JSON_BODY = { "content-type": "application/json" }
/** More than undici reads of header fields. */
const FLOOD_BYTES = 20 * 1024

const faults: Readonly<Record<string, LoopbackServerFault.Fault>> = {
  "400": { status: 400 },
  "403": { status: 403 },
  "404 of a session": LoopbackServerFault.sessionNotFound,
  "408": { status: 408 },
  "429 for a second": LoopbackServerFault.retryLater(429, "1"),
  "429 for ten years": LoopbackServerFault.retryLater(429, "315360000"),
  "500": { status: 500, body: "down" },
  "502 with a page": { status: 502, headers: HTML, body: "<!doctype html><title>Bad gateway</title>" },
  "503 until junk": LoopbackServerFault.retryLater(503, "soon"),
  "a redirect elsewhere": LoopbackServerFault.redirect(307, "http://localhost:9/mcp"),
  "200 with a page": { status: 200, headers: HTML, body: "<!doctype html><title>Welcome</title>" },
  "200 with half of a JSON text": { status: 200, headers: JSON_BODY, body: '{"jsonrpc":"2.0","id":' },
  "200 with another's answer": { status: 200, headers: JSON_BODY, body: '{"jsonrpc":"2.0","id":"nobody","result":{}}' },
  "202 to a call": { status: 202 },
  "a flood of header fields": LoopbackServerFault.headerFlood(FLOOD_BYTES),
  "closed before headers": { close: "before headers" },
  "closed after headers": { close: "after headers" },
  "closed within the body": { close: "within body" },
  "reset before headers": { reset: "before headers" },
  "reset after headers": { reset: "after headers" },
  "reset within the body": { reset: "within body" },
  "silent before headers": { hang: "before headers" },
  "silent after headers": { hang: "after headers" },
  "silent within the body": { hang: "within body" },
  "an event without end": { trickle: "event", interval: 1, bytes: 64 },
  "comments without end": { trickle: "comments", interval: 10 },
  "the credential in the error": LoopbackServerFault.echoAuthorization(500)
}

export const FAULTS: ReadonlyArray<NamedFault> = Object.entries(faults).map(([name, fault]) => ({
  name,
  fault: { ...fault, when: isCall }
}))
