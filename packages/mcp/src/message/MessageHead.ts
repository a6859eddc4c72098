/**
 * As much of a JSON-RPC message as its call is found by, read from its text.
 *
 * The SDKs hand `fetch` the text that they have just made of a message. The forms in which they write a request are
 * recognized at its two ends; anything else is parsed. Both ways say the same of every text that is JSON.
 */
import type { RequestId } from "../call/CallCorrelation.ts"

export interface MessageHead {
  /** Absent where the text is no request and no notification. */
  readonly method?: string
  /** Of a request. */
  readonly id?: RequestId
  /** The id of the request that a cancellation gives up. */
  readonly cancels?: RequestId
}

/** Reads a body; one that is no JSON-RPC message has neither method nor id. */
export const read = (text: string): MessageHead => scan(text) ?? parse(text)

/** `{"method":"…",…,"jsonrpc":"2.0","id":1}`, as both official SDKs write it. */
const METHOD_FIRST = /^\{"method":"([^"\\]*)"[,}]/
const ID_LAST = /,"jsonrpc":"2\.0","id":(0|[1-9]\d{0,14})\}$/
/** Characters at the end in which the id must stand. */
const TAIL = 48

/**
 * The head of a request in the SDKs' form, or `undefined` where that cannot be told without parsing.
 *
 * A member counts where no later one has its name. After the last id nothing comes; a second `"method"` anywhere, or an
 * escape by which one might be spelt, leaves it to the parser.
 */
export const scan = (text: string): MessageHead | undefined => {
  const method = METHOD_FIRST.exec(text)?.[1]
  if (method === undefined || text.includes('"method"', METHOD_MEMBER) || text.includes("\\u")) return undefined
  const id = ID_LAST.exec(text.slice(-TAIL))?.[1]
  return id === undefined ? undefined : { method, id: Number(id) }
}

/** Where the first member's name ends: after `{"method"`. */
const METHOD_MEMBER = 9

/** The head of any message. */
export const parse = (text: string): MessageHead => {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return {}
  }
  const method = property(message, "method")
  if (typeof method !== "string") return {}
  const id = property(message, "id")
  if (isId(id)) return { method, id }
  const cancels = method === "notifications/cancelled" ? property(property(message, "params"), "requestId") : undefined
  return isId(cancels) ? { method, cancels } : { method }
}

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined

const isId = (value: unknown): value is RequestId => typeof value === "string" || typeof value === "number"

/** What a server only reads for: asking twice is asking once. `tools/call` is not among it. */
const READING: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "server/discover",
  "completion/complete",
  "tools/list",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read"
])

/** Whether a request of this method may be sent twice though nobody says so. */
export const isIdempotent = (method: string): boolean => READING.has(method)
