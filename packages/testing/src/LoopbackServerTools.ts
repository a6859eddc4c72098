/**
 * What a loopback server offers: tools, a prompt and a resource, the same in both eras.
 *
 * | tool | does |
 * |---|---|
 * | `echo` | answers its arguments as JSON text |
 * | `whoami` | answers the headers of the request as JSON text, nothing left out: it is a test server |
 * | `slow` | answers after `ms` milliseconds, unless it is cancelled; see {@link SlowCall} |
 * | `fail` | answers a result with `isError` and the text of `message` |
 * | `drop` | legacy and SSE: closes the POST's stream after its first event and answers after `ms` milliseconds on the stream that the client resumes; otherwise only waits |
 * | `region` | its argument `region` is annotated `x-mcp-header`: a modern client repeats it in `Mcp-Param-Region` |
 * | `ask` | legacy and streams: pings the client in the middle of the call, so that the client posts a reply |
 * | `progress` | reports progress `count` times, where the call asks for it |
 * | `log` | logs `text`, where the client wants logs |
 * | `elicit` | asks the user `count` questions, one after the other, and answers the replies with blanks between them |
 * | `sample` | asks the client's model about `text` |
 * | `roots` | asks the client for its roots |
 *
 * The last three are multi-round-trip requests in the modern era, and requests of the server in the legacy one. The
 * prompt `greeting` takes a `session` argument; the resources are `loopback://note` and `loopback://named/{name}`. Any
 * argument is completed with an exclamation mark.
 */
import {
  type CallToolResult,
  fromJsonSchema,
  McpServer,
  ResourceTemplate,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as LoopbackServerDialogues from "./LoopbackServerDialogues.ts"
import { MARK_ARGUMENT } from "./RecordedRequest.ts"

/** A call of `slow` that reached the server. */
export interface SlowCall {
  readonly sessionMark?: string
  readonly outcome: "running" | "answered" | "cancelled"
}

/** The calls of `slow`, noted by the tools and read by the server that offers them. */
export type SlowCalls = Array<SlowCall>

export const SERVER_NAME = "loopback"
export const SERVER_VERSION = "1.0.0"
export const RESOURCE_URI = "loopback://note"

/** A server with all of the above; one per session (legacy) or per request (modern). */
export const makeServer = (slowCalls: SlowCalls): McpServer => {
  const server = new McpServer({ name: SERVER_NAME, version: SERVER_VERSION }, { capabilities: { logging: {} } })

  server.registerTool("echo", { description: "Returns its arguments", inputSchema: anything }, (args) =>
    text(JSON.stringify(args))
  )

  server.registerTool(
    "whoami",
    { description: "Returns the headers of the request", inputSchema: anything },
    (_args, context) => text(JSON.stringify(Object.fromEntries(context.http?.req?.headers ?? [])))
  )

  server.registerTool("slow", { description: "Waits", inputSchema: waiting }, async (args, context) => {
    const index = slowCalls.length
    const note = (outcome: SlowCall["outcome"]) => {
      const mark = args[MARK_ARGUMENT]
      slowCalls[index] = typeof mark === "string" ? { sessionMark: mark, outcome } : { outcome }
    }
    note("running")
    const outcome = await wait(args.ms, context.mcpReq.signal)
    note(outcome)
    return text(outcome)
  })

  server.registerTool("fail", { description: "Reports an error", inputSchema: failing }, (args) => ({
    ...text(args.message ?? "failed on purpose"),
    isError: true
  }))

  server.registerTool("drop", { description: "Closes its stream", inputSchema: waiting }, async (args, context) => {
    context.http?.closeSSE?.()
    await wait(args.ms ?? DROP_DELAY, context.mcpReq.signal)
    return text("resumed")
  })

  server.registerTool("region", { description: "Takes a header parameter", inputSchema: regional }, (args) =>
    text(args.region)
  )

  LoopbackServerDialogues.register(server)

  server.registerPrompt("greeting", { description: "Greets", argsSchema: marked }, (args) => ({
    messages: [{ role: "user", content: { type: "text", text: `hello ${args.session ?? "nobody"}` } }]
  }))

  server.registerResource(
    "named",
    new ResourceTemplate("loopback://named/{name}", { list: undefined }),
    { mimeType: "text/plain" },
    (uri, { name }) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: `named ${String(name)}` }] })
  )

  server.server.registerCapabilities({ completions: {}, resources: { subscribe: true } })
  server.server.setRequestHandler("completion/complete", ({ params: { argument } }) => ({
    completion: { values: [`${argument.value}!`] }
  }))
  const uris = new Set<string>()
  subscriptions.set(server, uris)
  server.server.setRequestHandler("resources/subscribe", ({ params }) => {
    uris.add(params.uri)
    return {}
  })
  server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    uris.delete(params.uri)
    return {}
  })

  server.registerResource("note", RESOURCE_URI, { mimeType: "text/plain" }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: "text/plain", text: "a note" }]
  }))

  return server
}

/** A list that can change. */
export type Changed = "tools" | "prompts" | "resources"

/** Tells the client of a legacy session that a list changed. */
export const notifyChanged = (server: McpServer, list: Changed): void => {
  switch (list) {
    case "tools":
      return server.sendToolListChanged()
    case "prompts":
      return server.sendPromptListChanged()
    case "resources":
      return server.sendResourceListChanged()
  }
}

/** What the client of a legacy session has subscribed to. */
const subscriptions = new WeakMap<McpServer, ReadonlySet<string>>()

/** Tells the client of a legacy session that a resource changed, where it has subscribed to it. */
export const notifyUpdated = async (server: McpServer, uri: string): Promise<void> => {
  if (subscriptions.get(server)?.has(uri) === true) await server.server.sendResourceUpdated({ uri })
}

/** Milliseconds after which `drop` answers where the call names no time. */
const DROP_DELAY = 50

// Compiled once: the modern era makes a server per request.
const anything = fromJsonSchema<Record<string, unknown>>({ type: "object" })
const waiting = fromJsonSchema<{ readonly ms?: number; readonly session?: string }>({
  type: "object",
  properties: { ms: { type: "number" }, session: { type: "string" } }
})
const failing = fromJsonSchema<{ readonly message?: string }>({
  type: "object",
  properties: { message: { type: "string" } }
})
const regionProperty = { type: "string", "x-mcp-header": "Region" } as const
const regional = fromJsonSchema<{ readonly region: string }>({
  type: "object",
  properties: { region: regionProperty },
  required: ["region"]
})
const marked = fromJsonSchema<{ readonly session?: string }>({
  type: "object",
  properties: { session: { type: "string" } }
})

const text = (content: string): CallToolResult => ({ content: [{ type: "text", text: content }] })

const wait = (ms: number | undefined, signal: ServerContext["mcpReq"]["signal"]): Promise<"answered" | "cancelled"> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve("cancelled")
    const timer = setTimeout(() => resolve("answered"), ms ?? 0)
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer)
        resolve("cancelled")
      },
      { once: true }
    )
  })
