/**
 * A connection over the official SDK's client (`@modelcontextprotocol/client`), Streamable HTTP, both eras.
 *
 * Loaded with the first connection, since the SDK is most of what a program would wait for at its start.
 *
 * The SDK's response cache is neither read nor filled: what one session may see is not shown to another, and one
 * session's list makes no other session's call fail. Output schemas are therefore not checked here.
 */
import { type CallToolResult, Client, ProtocolError } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as CallRequest from "./CallRequest.ts"
import type { CallOptions, McpConnection } from "./McpConnection.ts"
import { CallTimedOut, McpError, type McpErrorReason } from "./McpError.ts"
import * as OpenTransport from "./OpenTransport.ts"
import * as SdkFailure from "./SdkFailure.ts"
import { ToolParameters } from "./ToolParameters.ts"

const CLIENT_INFO = { name: "letterhead", version: "0.0.0" } as const

/** Connects, and disconnects when the scope closes. */
export const open = Effect.fn("McpConnection.open")(function* (
  options: OpenTransport.OpenOptions
): Effect.fn.Return<McpConnection, McpError, Scope.Scope> {
  const { entry } = options
  const { transport, owner } = yield* OpenTransport.open(options)
  const { context } = owner
  const failed = (reason: McpErrorReason) => new McpError({ server: entry.name, reason })
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode: "auto" } })
  yield* Effect.tryPromise({
    try: () => client.connect(transport, { timeout: CallRequest.SDK_TIMEOUT }),
    catch: (error) => failed(SdkFailure.reason(error, owner, owner))
  }).pipe(
    Effect.timeoutOrElse({
      duration: entry.connectTimeout,
      orElse: () =>
        Effect.fail(failed(new CallTimedOut({ operation: "connecting", milliseconds: entry.connectTimeout })))
    })
  )

  const invoke = <A>(
    callOptions: CallOptions | undefined,
    run: (requestOptions: CallRequest.CallRequestOptions) => Promise<A>
  ) => CallRequest.invoke(run, callOptions ?? {}, { server: entry.name, owner })

  const parameters = new ToolParameters()
  const capabilities = client.getServerCapabilities()
  const version = client.getServerVersion()
  return {
    server: entry.name,
    principal: context.principal,
    era: client.getProtocolEra() ?? "legacy",
    protocolVersion: client.getNegotiatedProtocolVersion() ?? "",
    serverInfo: { name: version?.name ?? entry.name, version: version?.version ?? "" },
    // Without the capability there is nothing to list; the SDK would say so on standard output.
    listTools:
      capabilities?.tools === undefined
        ? Effect.succeed([])
        : invoke(undefined, (request) => client.listTools(undefined, request)).pipe(
            Effect.map(({ tools }) => tools),
            Effect.tap((tools) => Effect.sync(() => parameters.note(tools))),
            Effect.withSpan("McpConnection.listTools")
          ),
    callTool: Effect.fn("McpConnection.callTool")((name, args, callOptions) =>
      invoke(callOptions, (request) => callTool(client, parameters, { name, arguments: { ...args } }, request))
    ),
    listPrompts:
      capabilities?.prompts === undefined
        ? Effect.succeed([])
        : invoke(undefined, (request) => client.listPrompts(undefined, request)).pipe(
            Effect.map(({ prompts }) => prompts),
            Effect.withSpan("McpConnection.listPrompts")
          ),
    getPrompt: Effect.fn("McpConnection.getPrompt")((name, args, callOptions) =>
      invoke(callOptions, (request) => client.getPrompt({ name, arguments: { ...args } }, request))
    ),
    listResources:
      capabilities?.resources === undefined
        ? Effect.succeed([])
        : invoke(undefined, (request) => client.listResources(undefined, request)).pipe(
            Effect.map(({ resources }) => resources),
            Effect.withSpan("McpConnection.listResources")
          ),
    readResource: Effect.fn("McpConnection.readResource")((uri, callOptions) =>
      invoke(callOptions, (request) => client.readResource({ uri }, request))
    )
  }
})

/** A modern server's answer to a call whose `Mcp-Param-*` are not what its tool wants. */
const HEADER_MISMATCH = -32_020

/** Calls a tool; where the server wants other `Mcp-Param-*`, asks for its tools and calls it once more. */
const callTool = async (
  client: Client,
  parameters: ToolParameters,
  params: { readonly name: string; readonly arguments: Record<string, unknown> },
  request: CallRequest.CallRequestOptions
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
