/**
 * A transport without a network: its servers are records of functions.
 *
 * All faces of the service lead to them: connections, and what a client of one's own is connected to. Calls are recorded
 * whichever way they came.
 *
 * A tool is given its arguments and the context of the call, as a real server is given the headers that come of it.
 * The layer also provides {@link MockMcpTransport}, which tells of every call and whose it was.
 */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import { ConfigError, ServerUnknown } from "@letterhead/core/server/ConfigError"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import { ConfigFailed, McpError, ProtocolFailed } from "@letterhead/mcp/McpError"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as MockWire from "./MockWire.ts"

/** A result as the official SDK has it. */
export type ToolResult = Effect.Success<ReturnType<McpConnection["callTool"]>>

/** Text stands for a result with that text. */
export type ToolAnswer = string | ToolResult

/** Answers a call, at once or as an effect. */
export type MockTool = (
  args: Readonly<Record<string, unknown>>,
  call: CallContext
) => ToolAnswer | Effect.Effect<ToolAnswer, McpError>

export interface MockServer {
  /** Default `modern`. */
  readonly era?: McpConnection["era"]
  readonly tools?: Readonly<Record<string, MockTool>>
  /** The text of each prompt. */
  readonly prompts?: Readonly<Record<string, (args: Readonly<Record<string, string>>, call: CallContext) => string>>
  /** The text of each resource, by URI. */
  readonly resources?: Readonly<Record<string, string>>
}

/** One call of a connection. */
export interface TransportCall {
  readonly server: string
  /** On whose behalf the connection was opened. */
  readonly owner: CallContext
  /** The context of the call, with server, method, tool and call id as a transport sets them. */
  readonly call: CallContext
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** What the mock was asked. */
export class MockMcpTransport extends Context.Service<
  MockMcpTransport,
  {
    /** Every call of every connection, in order. */
    readonly calls: Effect.Effect<ReadonlyArray<TransportCall>>
    /** The owners of the connections made so far, by server, in order. */
    readonly connections: Effect.Effect<ReadonlyArray<{ readonly server: string; readonly owner: CallContext }>>
  }
>()("@letterhead/testing/mocks/MockMcpTransport") {}

/** The servers by name; any other is unknown. */
export const layer = (servers: Readonly<Record<string, MockServer>>): Layer.Layer<McpTransport | MockMcpTransport> =>
  Layer.effectContext(
    Effect.sync(() => {
      const calls: Array<TransportCall> = []
      const connections: Array<{ readonly server: string; readonly owner: CallContext }> = []

      const connect: McpTransport["Service"]["connect"] = Effect.fnUntraced(function* (target, asOwner) {
        const name = typeof target === "string" ? target : target.name
        const server = Object.hasOwn(servers, name) ? servers[name] : undefined
        if (server === undefined) return yield* unknownServer(name, Object.keys(servers))
        const owner = { ...(asOwner ?? (yield* CurrentCall)), server: name }
        connections.push({ server: name, owner })
        return connectionTo(name, server, owner, (call) => {
          const id = `call-${calls.length + 1}`
          const noted = { ...call, call: { callId: id, ...call.call } }
          calls.push(noted)
          return noted.call
        })
      })

      const service = McpTransport.of({
        connect,
        transport: Effect.fnUntraced(function* (target, asOwner) {
          const owner = yield* ownerOf(asOwner)
          const transport = MockWire.transport(yield* connect(target, owner), owner)
          yield* Effect.addFinalizer(() => Effect.promise(() => transport.close()))
          return transport
        }),
        fetch: Effect.fnUntraced(function* (target, asCall) {
          const call = yield* ownerOf(asCall)
          return MockWire.fetch(yield* connect(target, call), call)
        }),
        httpClient: Effect.fnUntraced(function* (target, asOwner) {
          const owner = yield* ownerOf(asOwner)
          return MockWire.httpClient(yield* connect(target, owner), owner)
        })
      })
      return Context.make(McpTransport, service).pipe(
        Context.add(MockMcpTransport, {
          calls: Effect.sync(() => [...calls]),
          connections: Effect.sync(() => [...connections])
        })
      )
    })
  )

const ownerOf = (owner: CallContext | undefined) =>
  owner === undefined ? Effect.service(CurrentCall) : Effect.succeed(owner)

const connectionTo = (
  name: string,
  server: MockServer,
  owner: CallContext,
  record: (call: TransportCall) => CallContext
): McpConnection => {
  const era = server.era ?? "modern"

  /** Notes the call, and gives its context. */
  const begin = (method: string, tool?: string, args?: Readonly<Record<string, unknown>>) =>
    Effect.map(CurrentCall, (current) =>
      record({
        server: name,
        owner,
        call: { ...current, server: name, method, ...(tool === undefined ? {} : { tool }) },
        ...(args === undefined ? {} : { arguments: args })
      })
    )

  const find = <A>(kind: string, offered: Readonly<Record<string, A>> | undefined, key: string) => {
    const found = offered !== undefined && Object.hasOwn(offered, key) ? offered[key] : undefined
    return found === undefined ? Effect.fail(notOffered(name, kind, key)) : Effect.succeed(found)
  }

  return {
    server: name,
    principal: owner.principal,
    era,
    protocolVersion: era === "modern" ? "2026-07-28" : "2025-11-25",
    serverInfo: { name, version: "0.0.0" },
    instructions: undefined,
    listTools: Effect.as(
      begin("tools/list"),
      Object.keys(server.tools ?? {}).map((tool) => ({ name: tool, inputSchema: { type: "object" as const } }))
    ),
    callTool: Effect.fnUntraced(function* (tool, args = {}) {
      const call = yield* begin("tools/call", tool, args)
      const answer = (yield* find("tool", server.tools, tool))(args, call)
      return toResult(Effect.isEffect(answer) ? yield* answer : answer)
    }),
    listPrompts: Effect.as(
      begin("prompts/list"),
      Object.keys(server.prompts ?? {}).map((prompt) => ({ name: prompt }))
    ),
    getPrompt: Effect.fnUntraced(function* (prompt, args = {}) {
      const call = yield* begin("prompts/get", prompt, args)
      const text = (yield* find("prompt", server.prompts, prompt))(args, call)
      return { messages: [{ role: "user" as const, content: { type: "text" as const, text } }] }
    }),
    listResources: Effect.as(
      begin("resources/list"),
      Object.keys(server.resources ?? {}).map((uri) => ({ name: uri, uri }))
    ),
    listResourceTemplates: Effect.as(begin("resources/templates/list"), []),
    readResource: Effect.fnUntraced(function* (uri) {
      yield* begin("resources/read", uri)
      return { contents: [{ uri, text: yield* find("resource", server.resources, uri) }] }
    }),
    complete: () => Effect.as(begin("completion/complete"), { values: [] }),
    events: Stream.never,
    subscribeResource: () => Effect.void
  }
}

const toResult = (answer: ToolAnswer): ToolResult =>
  typeof answer === "string" ? { content: [{ type: "text", text: answer }] } : answer

const unknownServer = (server: string, known: ReadonlyArray<string>) =>
  new McpError({
    server,
    reason: new ConfigFailed({ error: new ConfigError({ reason: new ServerUnknown({ server, known }) }) })
  })

/** JSON-RPC's invalid params, as a server answers for a name it does not offer. */
const INVALID_PARAMS = -32_602

const notOffered = (server: string, kind: string, key: string) =>
  new McpError({
    server,
    reason: new ProtocolFailed({ code: INVALID_PARAMS, description: `the mock server offers no ${kind} ${key}` })
  })
