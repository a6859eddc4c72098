/**
 * One HTTP request as a test server received it, with what the JSON-RPC message in it says.
 *
 * Nothing is left out and nothing is masked: this is for tests, whose secrets are made up.
 */
import type * as Http from "node:http"

export interface RecordedRequest {
  readonly httpMethod: string
  /** Path and query, as sent. */
  readonly path: string
  /** By lower-case name; fields that came more than once are joined with `, `. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** The JSON-RPC method; absent on GET and DELETE, and where the body is a response or no JSON-RPC. */
  readonly rpcMethod?: string
  /** The JSON-RPC id of a request or response; for `notifications/cancelled` the id of the request it cancels. */
  readonly rpcId?: string | number
  /** `params.name`: the tool of `tools/call`, the prompt of `prompts/get`. */
  readonly toolName?: string
  /** `params.arguments`. */
  readonly arguments?: Readonly<Record<string, unknown>>
  /**
   * Whose request this is, as the test wrote it into the argument named `session`.
   *
   * A cancelled notification and a resumed GET have the mark of the call they belong to.
   */
  readonly sessionMark?: string
  /** The status that was answered; absent while nothing is, and where the socket was closed before. */
  readonly status?: number
}

/** The argument in which a test says whose call it is. */
export const MARK_ARGUMENT = "session"

/** What a request says, without its answer. */
export const read = (request: Http.IncomingMessage, body: string): RecordedRequest => {
  const message = parse(body)
  const params = record(message?.["params"])
  const method = message?.["method"]
  const id = method === "notifications/cancelled" ? params?.["requestId"] : message?.["id"]
  const name = params?.["name"]
  const args = record(params?.["arguments"])
  const mark = args?.[MARK_ARGUMENT]
  return {
    httpMethod: request.method ?? "",
    path: request.url ?? "",
    headers: headersOf(request.rawHeaders),
    body,
    ...(typeof method === "string" ? { rpcMethod: method } : {}),
    ...(typeof id === "string" || typeof id === "number" ? { rpcId: id } : {}),
    ...(typeof name === "string" ? { toolName: name } : {}),
    ...(args === undefined ? {} : { arguments: args }),
    ...(typeof mark === "string" ? { sessionMark: mark } : {})
  }
}

/** The body as JSON, or `undefined` where it is none. */
export const json = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const parse = (body: string): Readonly<Record<string, unknown>> | undefined => record(json(body))

const record = (value: unknown): Readonly<Record<string, unknown>> | undefined => (isRecord(value) ? value : undefined)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** From the raw list: Node's own map drops duplicates of some names. */
const headersOf = (raw: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase()
    const value = raw[index + 1] ?? ""
    const earlier = headers.get(name)
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`)
  }
  return headers
}
