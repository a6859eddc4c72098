/**
 * The tools of a loopback server that say something to the client, or ask it something, before they answer.
 *
 * What asks is written once for both eras: the modern one answers `input_required` and is called again with the reply;
 * in the legacy era the SDK sends a request of its own in the middle of the call, for which it needs a stream.
 */
import {
  type CallToolResult,
  fromJsonSchema,
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type McpServer,
  type ServerContext
} from "@modelcontextprotocol/server"

/** Registers `ask`, `progress`, `log`, `elicit`, `sample` and `roots`. */
export const register = (server: McpServer): void => {
  server.registerTool("ask", { description: "Pings the client", inputSchema: anything }, async (_args, context) => {
    await context.mcpReq.send({ method: "ping" }, { timeout: ASK_TIMEOUT })
    return text("answered")
  })

  server.registerTool(
    "progress",
    { description: "Reports progress", inputSchema: counting },
    async ({ count = 1 }, context) => {
      const progressToken = context.mcpReq._meta?.progressToken
      if (progressToken === undefined) return text("nobody wants to know")
      for (let progress = 1; progress <= count; progress += 1) {
        const params = { progressToken, progress, total: count, message: `step ${progress}` }
        await context.mcpReq.notify({ method: "notifications/progress", params })
        // A client that reads the answer together with a notification may forget whom that was for.
        await new Promise((resolve) => setTimeout(resolve, PROGRESS_INTERVAL))
      }
      return text("done")
    }
  )

  server.registerTool("log", { description: "Logs", inputSchema: saying }, async (args, context) => {
    await context.mcpReq.log("info", args.text ?? "")
    return text("logged")
  })

  server.registerTool("elicit", { description: "Asks the user", inputSchema: counting }, ({ count = 1 }, context) =>
    elicit(count, context)
  )

  server.registerTool("sample", { description: "Asks the model", inputSchema: saying }, (args, context) => {
    const reply = inputResponse(context.mcpReq.inputResponses, REPLY)
    if (reply.kind === "sampling") return text(JSON.stringify(reply.result.content))
    const content = { type: "text" as const, text: args.text ?? "" }
    return ask(inputRequired.createMessage({ messages: [{ role: "user", content }], maxTokens: 16 }))
  })

  server.registerTool("roots", { description: "Asks for the roots", inputSchema: anything }, (_args, context) => {
    const reply = inputResponse(context.mcpReq.inputResponses, REPLY)
    if (reply.kind === "roots") return text(reply.roots.map(({ uri }) => uri).join(" "))
    return ask(inputRequired.listRoots())
  })
}

/** Milliseconds that `ask` gives the client for its reply. */
const ASK_TIMEOUT = 5_000
/** Milliseconds between two steps of `progress`, and after the last. */
const PROGRESS_INTERVAL = 5
/** The name under which a question is asked and replied to. */
const REPLY = "reply"

/** Asks `count` times, and carries what was replied from one round to the next in the state that the client returns. */
const elicit = (count: number, { mcpReq }: ServerContext): CallToolResult | InputRequiredResult => {
  const earlier = mcpReq.requestState<string>()
  const replies = earlier === undefined ? [] : earlier.split(" ")
  const reply = inputResponse(mcpReq.inputResponses, REPLY)
  if (reply.kind === "elicit") {
    if (reply.action !== "accept") return text(reply.action)
    replies.push(String(reply.content?.["answer"]))
  }
  if (replies.length === count) return text(replies.join(" "))
  const question = inputRequired.elicit({
    message: `question ${replies.length + 1}`,
    requestedSchema: { type: "object", properties: { answer: { type: "string" } }, required: ["answer"] }
  })
  return ask(question, replies.length === 0 ? undefined : replies.join(" "))
}

const ask = (question: ReturnType<typeof inputRequired.listRoots>, requestState?: string): InputRequiredResult =>
  inputRequired({ inputRequests: { [REPLY]: question }, ...(requestState === undefined ? {} : { requestState }) })

const text = (content: string): CallToolResult => ({ content: [{ type: "text", text: content }] })

// Compiled once: the modern era makes a server per request.
const anything = fromJsonSchema<Record<string, unknown>>({ type: "object" })
const counting = fromJsonSchema<{ readonly count?: number }>({
  type: "object",
  properties: { count: { type: "integer", minimum: 1 } }
})
const saying = fromJsonSchema<{ readonly text?: string }>({ type: "object", properties: { text: { type: "string" } } })
