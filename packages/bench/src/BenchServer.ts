/**
 * The server that every subject calls: a process of its own that does as little as an MCP server can.
 *
 * `/legacy/…` speaks 2025-11-25 (initialize, a session id, GET is 405), `/modern/…` 2026-07-28; `…/json/…` answers JSON,
 * `…/sse/…` an event stream of one event. It listens on as many ports as its argument says, each a server to the client,
 * and tells its parent which. A call that does not carry the headers of the session in its arguments is refused.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { headersOf } from "./BenchHeaders.ts"

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly arguments?: { readonly session?: string } }
}

const LEGACY = "2025-11-25"
const MODERN = "2026-07-28"
const SESSION_ID = "mcp-session-id"
const IDENTITY = { name: "bench", version: "1.0.0" }
const TOOL = {
  name: "echo",
  description: "Says the session",
  inputSchema: { type: "object", properties: { session: { type: "string" } } }
}

let sessionsStarted = 0

const ports: Array<number> = []
for (let remaining = Number(process.argv[2] ?? "1"); remaining > 0; remaining--) ports.push(await listen())
process.send?.({ ports })
process.on("disconnect", () => process.exit(0))

function listen(): Promise<number> {
  const server = createServer(receive)
  // Clients rest between their rounds; nothing is to be connected anew because of that.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  })
}

function receive(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== "POST") {
    response.writeHead(request.method === "DELETE" ? 200 : 405, { "content-length": 0 }).end()
    return
  }
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const message: Message = JSON.parse(Buffer.concat(chunks).toString())
    answer(request.url ?? "", request.headers, message, response)
  })
}

function answer(path: string, headers: IncomingHttpHeaders, message: Message, response: ServerResponse): void {
  const modern = path.startsWith("/modern/")
  const write = (body: object, status = 200, further: Readonly<Record<string, string>> = {}): void => {
    const text = JSON.stringify({ jsonrpc: "2.0", id: message.id, ...body })
    if (path.includes("/sse/") && status === 200) {
      response.writeHead(200, { "content-type": "text/event-stream", ...further })
      response.end(`event: message\ndata: ${text}\n\n`)
    } else {
      const size = Buffer.byteLength(text)
      response.writeHead(status, { "content-type": "application/json", "content-length": size, ...further }).end(text)
    }
  }
  const refuse = (code: number, text: string) => write({ error: { code, message: text } }, 400)

  if (message.id === undefined) {
    response.writeHead(202, { "content-length": 0 }).end()
    return
  }
  if (modern ? headers["mcp-protocol-version"] !== MODERN : isLost(message, headers)) {
    refuse(-32_600, modern ? "this is not 2026-07-28" : "no session: initialize first")
    return
  }
  switch (message.method) {
    case "initialize":
      write({ result: { protocolVersion: LEGACY, capabilities: { tools: {} }, serverInfo: IDENTITY } }, 200, {
        [SESSION_ID]: `mcp-session-${++sessionsStarted}`
      })
      return
    case "server/discover":
      write({
        result: {
          resultType: "complete",
          supportedVersions: [MODERN],
          capabilities: { tools: {} },
          ttlMs: 3_600_000,
          cacheScope: "private",
          _meta: { "io.modelcontextprotocol/serverInfo": IDENTITY }
        }
      })
      return
    case "tools/list":
      write({
        result: modern
          ? { resultType: "complete", tools: [TOOL], ttlMs: 3_600_000, cacheScope: "private" }
          : { tools: [TOOL] }
      })
      return
    case "tools/call": {
      const session = message.params?.arguments?.session ?? ""
      const wrong = Object.entries(headersOf(session)).find(([name, value]) => headers[name] !== value)
      if (wrong !== undefined) {
        refuse(-32_000, `${wrong[0]} is not that of ${session}: ${JSON.stringify(headers[wrong[0]])}`)
        return
      }
      write({
        result: { ...(modern ? { resultType: "complete" } : {}), content: [{ type: "text", text: session }] }
      })
      return
    }
    default:
      refuse(-32_601, `no method ${message.method}`)
  }
}

/** Whether a request of the older era belongs to no session that this server started. */
function isLost(message: Message, headers: IncomingHttpHeaders): boolean {
  return message.method !== "initialize" && !String(headers[SESSION_ID]).startsWith("mcp-session-")
}
