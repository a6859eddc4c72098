/** No MCP client at all: one POST per call, written by hand. What the wire and Node cost. */
import { Agent, request } from "undici"
import { headersOf, STATIC_SESSION } from "./BenchHeaders.ts"
import { type Connection, type Subject, verify } from "./Subject.ts"

interface Answer {
  readonly result?: { readonly content?: ReadonlyArray<object> }
}

type Post = (url: URL, headers: Readonly<Record<string, string>>, body: string) => Promise<Reply>

interface Reply {
  readonly status: number
  readonly session?: string | undefined
  readonly text: string
}

const agent = new Agent()

const undiciPost: Post = async (url, headers, body) => {
  const {
    statusCode,
    headers: received,
    body: content
  } = await request(url, {
    method: "POST",
    dispatcher: agent,
    headers,
    body
  })
  const session = received["mcp-session-id"]
  return { status: statusCode, session: Array.isArray(session) ? session[0] : session, text: await content.text() }
}

const fetchPost: Post = async (url, headers, body) => {
  const response = await fetch(url, { method: "POST", headers, body })
  return {
    status: response.status,
    session: response.headers.get("mcp-session-id") ?? undefined,
    text: await response.text()
  }
}

const open = async (post: Post, url: URL): Promise<Connection> => {
  const common = {
    ...headersOf(STATIC_SESSION.id),
    accept: "application/json, text/event-stream",
    "content-type": "application/json"
  }
  let id = 0
  const send = (method: string, params: object, headers: Readonly<Record<string, string>>) =>
    post(url, headers, JSON.stringify({ jsonrpc: "2.0", id: id++, method, params }))
  const { session } = await send(
    "initialize",
    { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "0.0.0" } },
    common
  )
  const headers = { ...common, "mcp-protocol-version": "2025-11-25", "mcp-session-id": session ?? "" }
  return {
    call: async () => {
      const { status, text } = await send(
        "tools/call",
        { name: "echo", arguments: { session: STATIC_SESSION.id } },
        headers
      )
      if (status !== 200) throw new Error(`the server answered ${status}: ${text}`)
      const answer: Answer = JSON.parse(text.startsWith("event:") ? text.slice(text.indexOf("data: ") + 6) : text)
      verify(STATIC_SESSION, answer.result?.content)
    },
    close: async () => {}
  }
}

export const overUndici: Subject = {
  era: "legacy",
  open: (url) => open(undiciPost, url),
  close: () => agent.close()
}

export const overFetch: Subject = { era: "legacy", open: (url) => open(fetchPost, url) }
