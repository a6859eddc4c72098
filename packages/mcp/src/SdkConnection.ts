/**
 * A connection over the official SDK's client (`@modelcontextprotocol/client`), Streamable HTTP, both eras.
 *
 * Loaded with the first connection, since the SDK is most of what a program would wait for at its start.
 *
 * The SDK's response cache is neither read nor filled: what one session may see is not shown to another, and one
 * session's list makes no other session's call fail. Output schemas are therefore not checked here.
 */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { type CacheableRequestOptions, type CallToolResult, Client, ProtocolError } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Call } from "./Call.ts"
import { carry } from "./CorrelatingTransport.ts"
import type { CallOptions, McpConnection } from "./McpConnection.ts"
import { CallTimedOut, McpError, type McpErrorReason, PrincipalMismatch } from "./McpError.ts"
import * as OpenTransport from "./OpenTransport.ts"
import * as SdkFailure from "./SdkFailure.ts"
import { ToolParameters } from "./ToolParameters.ts"

/** Milliseconds until a call is given up, where its caller names no time. */
export const CALL_TIMEOUT_DEFAULT = 60_000
/** The SDK's own timer is kept out of the way: Effect's decides, and it can be tested. */
const SDK_TIMEOUT = 2 ** 31 - 1

const CLIENT_INFO = { name: "letterhead", version: "0.0.0" } as const

export interface OpenOptions extends OpenTransport.OpenOptions {
  /** Makes up the id of a call that has none. */
  readonly nextCallId: () => string
}

/** Connects, and disconnects when the scope closes. */
export const open = Effect.fn("McpConnection.open")(function* (
  options: OpenOptions
): Effect.fn.Return<McpConnection, McpError, Scope.Scope> {
  const { entry } = options
  const { transport, owner, correlation } = yield* OpenTransport.open(options)
  const { context } = owner
  const failed = (reason: McpErrorReason) => new McpError({ server: entry.name, reason })
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode: "auto" } })
  yield* Effect.tryPromise({
    try: () => client.connect(transport, { timeout: SDK_TIMEOUT }),
    catch: (error) => failed(SdkFailure.reason(error, owner, owner))
  }).pipe(
    Effect.timeoutOrElse({
      duration: entry.connectTimeout,
      orElse: () =>
        Effect.fail(failed(new CallTimedOut({ operation: "connecting", milliseconds: entry.connectTimeout })))
    })
  )

  /** One call of the fiber that runs this, from its context to its result. */
  const invoke = Effect.fnUntraced(function* <A>(
    method: string,
    tool: string | undefined,
    callOptions: CallOptions | undefined,
    run: (requestOptions: CacheableRequestOptions) => Promise<A>
  ): Effect.fn.Return<A, McpError> {
    const current = yield* CurrentCall
    if (current.principal !== context.principal) {
      return yield* failed(new PrincipalMismatch({ connection: context.principal, call: current.principal }))
    }
    const milliseconds = callOptions?.timeout ?? CALL_TIMEOUT_DEFAULT
    const { tool: _outer, ...known } = current
    const call = new Call(
      {
        ...known,
        callId: current.callId ?? options.nextCallId(),
        server: entry.name,
        method,
        ...(tool === undefined ? {} : { tool })
      },
      Context.merge(options.services, yield* Effect.context())
    )
    const operation = tool === undefined ? method : `${method} ${tool}`
    return yield* Effect.tryPromise({
      try: (signal) => {
        signal.addEventListener("abort", () => call.abort(), { once: true })
        // `bypass`: see the top of this file.
        return run({ signal: call.signal, timeout: SDK_TIMEOUT, headers: carry(call), cacheMode: "bypass" })
      },
      catch: (error) => failed(SdkFailure.reason(error, call, owner))
    }).pipe(
      Effect.timeoutOrElse({
        duration: milliseconds,
        orElse: () => Effect.fail(failed(new CallTimedOut({ operation, milliseconds })))
      }),
      Effect.ensuring(Effect.sync(() => correlation.end(call)))
    )
  })

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
        : invoke("tools/list", undefined, undefined, (request) => client.listTools(undefined, request)).pipe(
            Effect.map(({ tools }) => tools),
            Effect.tap((tools) => Effect.sync(() => parameters.note(tools))),
            Effect.withSpan("McpConnection.listTools")
          ),
    callTool: Effect.fn("McpConnection.callTool")((name, args, callOptions) =>
      invoke("tools/call", name, callOptions, (request) =>
        callTool(client, parameters, { name, arguments: { ...args } }, request)
      )
    ),
    listPrompts:
      capabilities?.prompts === undefined
        ? Effect.succeed([])
        : invoke("prompts/list", undefined, undefined, (request) => client.listPrompts(undefined, request)).pipe(
            Effect.map(({ prompts }) => prompts),
            Effect.withSpan("McpConnection.listPrompts")
          ),
    getPrompt: Effect.fn("McpConnection.getPrompt")((name, args, callOptions) =>
      invoke("prompts/get", name, callOptions, (request) => client.getPrompt({ name, arguments: { ...args } }, request))
    ),
    listResources:
      capabilities?.resources === undefined
        ? Effect.succeed([])
        : invoke("resources/list", undefined, undefined, (request) => client.listResources(undefined, request)).pipe(
            Effect.map(({ resources }) => resources),
            Effect.withSpan("McpConnection.listResources")
          ),
    readResource: Effect.fn("McpConnection.readResource")((uri, callOptions) =>
      invoke("resources/read", uri, callOptions, (request) => client.readResource({ uri }, request))
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
  request: CacheableRequestOptions
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
