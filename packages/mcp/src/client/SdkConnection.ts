/**
 * A connection over the official SDK's client (`@modelcontextprotocol/client`), in both eras.
 *
 * Loaded with the first connection, since the SDK is most of what a program would wait for at its start.
 *
 * The SDK's response cache is neither read nor filled: what one session may see is not shown to another, and one
 * session's list makes no other session's call fail. Output schemas are therefore not checked here.
 */
import {
  type CallToolResult,
  type Client,
  LOG_LEVEL_META_KEY,
  ProtocolError,
  type ServerCapabilities
} from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CallRequestOptions } from "../call/CallRequest.ts"
import { ClientFeatures } from "../ClientFeatures.ts"
import * as LiveClient from "./LiveClient.ts"
import type { McpConnection } from "../McpConnection.ts"
import type { McpError } from "../McpError.ts"
import type { OpenOptions } from "./SdkClient.ts"
import { ToolParameters } from "./ToolParameters.ts"

/** Connects, and disconnects when the scope closes. */
export const open = Effect.fn("McpConnection.open")(function* (
  options: OpenOptions
): Effect.fn.Return<McpConnection, McpError, Scope.Scope> {
  const { entry, owner, services } = options
  const { events, invoke, present, subscribeResource } = yield* LiveClient.make(options)
  const { logLevel } = Context.get(services, ClientFeatures)
  const parameters = new ToolParameters()

  /** What a modern server is told with each call of the kind that it may log for. */
  const meta = (client: Client) =>
    logLevel === undefined || client.getProtocolEra() !== "modern" ? {} : { _meta: { [LOG_LEVEL_META_KEY]: logLevel } }

  /** Without the capability there is nothing to list; the SDK would say so on standard output. */
  const list = <A>(
    capability: keyof ServerCapabilities,
    run: (client: Client, request: CallRequestOptions) => Promise<ReadonlyArray<A>>
  ): Effect.Effect<ReadonlyArray<A>, McpError> =>
    Effect.suspend(() =>
      present().client.getServerCapabilities()?.[capability] === undefined ? Effect.succeed([]) : invoke(undefined, run)
    )

  return {
    server: entry.name,
    principal: owner.principal,
    get era() {
      return present().era
    },
    get protocolVersion() {
      return present().client.getNegotiatedProtocolVersion() ?? ""
    },
    get serverInfo() {
      const version = present().client.getServerVersion()
      return { name: version?.name ?? entry.name, version: version?.version ?? "" }
    },
    get instructions() {
      return present().client.getInstructions()
    },
    listTools: list("tools", async (client, request) => (await client.listTools(undefined, request)).tools).pipe(
      Effect.tap((tools) => Effect.sync(() => parameters.note(tools))),
      Effect.withSpan("McpConnection.listTools")
    ),
    callTool: Effect.fn("McpConnection.callTool")((name, args, callOptions) =>
      invoke(callOptions, (client, request) =>
        callTool(client, parameters, { name, arguments: { ...args }, ...meta(client) }, request)
      )
    ),
    listPrompts: list(
      "prompts",
      async (client, request) => (await client.listPrompts(undefined, request)).prompts
    ).pipe(Effect.withSpan("McpConnection.listPrompts")),
    getPrompt: Effect.fn("McpConnection.getPrompt")((name, args, callOptions) =>
      invoke(callOptions, (client, request) =>
        client.getPrompt({ name, arguments: { ...args }, ...meta(client) }, request)
      )
    ),
    listResources: list(
      "resources",
      async (client, request) => (await client.listResources(undefined, request)).resources
    ).pipe(Effect.withSpan("McpConnection.listResources")),
    listResourceTemplates: list(
      "resources",
      async (client, request) => (await client.listResourceTemplates(undefined, request)).resourceTemplates
    ).pipe(Effect.withSpan("McpConnection.listResourceTemplates")),
    readResource: Effect.fn("McpConnection.readResource")((uri, callOptions) =>
      invoke(callOptions, (client, request) => client.readResource({ uri, ...meta(client) }, request))
    ),
    complete: Effect.fn("McpConnection.complete")((params, callOptions) =>
      Effect.suspend(() =>
        present().client.getServerCapabilities()?.completions === undefined
          ? Effect.succeed({ values: [] })
          : invoke(callOptions, async (client, request) => (await client.complete(params, request)).completion)
      )
    ),
    events,
    subscribeResource
  }
})

/** A modern server's answer to a call whose `Mcp-Param-*` are not what its tool wants. */
const HEADER_MISMATCH = -32_020

/** Calls a tool; where the server wants other `Mcp-Param-*`, asks for its tools and calls it once more. */
const callTool = async (
  client: Client,
  parameters: ToolParameters,
  params: { readonly name: string; readonly arguments: Record<string, unknown> },
  request: CallRequestOptions
): Promise<CallToolResult> => {
  if (client.getProtocolEra() !== "modern") return client.callTool(params, request)
  const call = () => client.callTool(params, { ...request, toolDefinition: parameters.definition(params.name) })
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof ProtocolError && error.code === HEADER_MISMATCH)) throw error
    parameters.note((await client.listTools(undefined, request)).tools)
    return call()
  }
}
