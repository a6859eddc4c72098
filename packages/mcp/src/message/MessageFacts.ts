/** What a JSON-RPC request says about the call that it belongs to. */

export interface MessageFacts {
  readonly method: string
  /** The tool of a `tools/call`, the prompt of a `prompts/get`, the URI of a `resources/read`. */
  readonly tool: string | undefined
}

/** The facts of the request or the cancellation in a text; nothing where there is neither in it. */
export const read = (text: string): MessageFacts | undefined => {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(message)) return undefined
  const { id, method, params } = message
  if (typeof method !== "string" || (id === undefined && method !== "notifications/cancelled")) return undefined
  return of({ method, params: isRecord(params) ? params : undefined })
}

/** The facts of a request. */
export const of = (request: {
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>> | undefined
}): MessageFacts => {
  const { method, params } = request
  const target = method === "resources/read" ? params?.["uri"] : NAMED.has(method) ? params?.["name"] : undefined
  return { method, tool: typeof target === "string" ? target : undefined }
}

/** Methods that name what they ask for. */
const NAMED: ReadonlySet<string> = new Set(["tools/call", "prompts/get"])

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null
