/**
 * An agent runtime in Effect: users talk to it, each in sessions of their own; its tools come from the MCP servers of the
 * configuration; and each tool call carries the headers of the session that it is made in.
 *
 * Nothing below the conversation knows of headers. The session travels with the fiber (`withCall`), through the chat and
 * the toolkit, to the request.
 */
import { withCall } from "@letterhead/core/call/CallContext"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Chat from "effect/ai/Chat"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"

/** The tools of one server for one user: `calendar` offers `find`, so the model sees `calendar_find`. */
const serverTools = Effect.fnUntraced(function* (server: string, principal: string) {
  const { httpClient } = yield* McpTransport
  const url = yield* serverUrl(server)
  const transport = yield* McpClient.http({ url, protocol: McpProtocol.v2026_07_28 }).pipe(
    Effect.provideServiceEffect(HttpClient.HttpClient, httpClient(server, { principal }))
  )
  const client = yield* McpClient.make({ name: "example-agent", version: "1.0.0" }).pipe(
    Effect.provideService(McpClient.Transport, transport)
  )
  return yield* McpClient.toolkit(client, `${server}_`)
})

type Tools = Effect.Success<ReturnType<typeof serverTools>>

/** One toolkit of several; the names of their tools begin with the names of the servers. */
const combine = (kits: ReadonlyArray<Tools>): Tools => {
  const tools: Record<string, Tools["tools"][string]> = Object.assign({}, ...kits.map((kit) => kit.tools))
  const ownerOf = (name: string) => kits.find((kit) => Object.hasOwn(kit.tools, name))
  return {
    tools,
    handle: (name, ...request) => ownerOf(name)?.handle(name, ...request) ?? Effect.die(new Error(`no tool ${name}`))
  }
}

const serverUrl = Effect.fnUntraced(function* (server: string) {
  const { endpoint } = yield* (yield* McpConfig).get(server)
  if (endpoint.type !== "http")
    return yield* Effect.die(new Error(`${server} is a program, which this agent does not use`))
  return endpoint.url.source
})

/** A user of the runtime, with clients of their own: users never share a connection. The clients end with the scope. */
export const signIn = Effect.fnUntraced(function* (principal: string) {
  const { servers } = yield* McpConfig
  const toolkit = yield* withCall(
    Effect.map(
      Effect.forEach(servers.keys(), (server) => serverTools(server, principal)),
      combine
    ),
    // Listing the tools is a call too, and hooks are told whose.
    { principal, sessionId: "sign-in" }
  )
  return {
    /** Answers a question in a session; several run at a time over the same clients. */
    ask: (sessionId: string, question: string) => withCall(converse(question, toolkit), { principal, sessionId })
  }
})

/** One turn of a conversation: the model and the tools take turns until the model has nothing more to ask. */
const converse = Effect.fnUntraced(function* (question: string, toolkit: Tools) {
  const chat = yield* Chat.empty
  let response = yield* chat.generateText({ prompt: question, toolkit })
  while (response.toolCalls.length > 0) response = yield* chat.generateText({ prompt: [], toolkit })
  return response.text
})
