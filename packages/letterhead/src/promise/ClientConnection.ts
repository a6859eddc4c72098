/** A live client of one server for one principal, behind promises; see `McpConnection`. */
import { withCall } from "@letterhead/core/call/CallContext"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import type { McpError } from "@letterhead/mcp/McpError"
import type { ServerEvent } from "@letterhead/mcp/ServerEvents"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type CallFacts, partsOf } from "./CallFacts.ts"

type ResultOf<E> = E extends Effect.Effect<infer A, infer _E, infer _R> ? A : never

/** Runs an effect of the client; ends it with the signal. */
export type Run = <A>(effect: Effect.Effect<A, McpError>, signal: AbortSignal | undefined) => Promise<A>

/**
 * Every method rejects with a `LetterheadError`. A tool that reports an error of its own (`isError`) is a result.
 *
 * Sessions share the connection; each call says whose it is.
 */
export class ClientConnection implements AsyncDisposable {
  readonly #connection: McpConnection
  readonly #run: Run
  readonly #close: () => Promise<void>

  constructor(connection: McpConnection, run: Run, close: () => Promise<void>) {
    this.#connection = connection
    this.#run = run
    this.#close = close
  }

  get server(): string {
    return this.#connection.server
  }

  get principal(): string {
    return this.#connection.principal
  }

  /** `legacy`: MCP up to 2025-11-25. `modern`: 2026-07-28. */
  get era(): McpConnection["era"] {
    return this.#connection.era
  }

  get protocolVersion(): string {
    return this.#connection.protocolVersion
  }

  get serverInfo(): McpConnection["serverInfo"] {
    return this.#connection.serverInfo
  }

  /** How the server wants to be used, for a model to read. */
  get instructions(): string | undefined {
    return this.#connection.instructions
  }

  /** All pages. */
  listTools(facts: CallFacts = {}): Promise<ResultOf<McpConnection["listTools"]>> {
    return this.#as(facts, this.#connection.listTools)
  }

  callTool(
    name: string,
    args?: Readonly<Record<string, unknown>>,
    facts: CallFacts = {}
  ): Promise<ResultOf<ReturnType<McpConnection["callTool"]>>> {
    return this.#as(facts, this.#connection.callTool(name, args, facts))
  }

  listPrompts(facts: CallFacts = {}): Promise<ResultOf<McpConnection["listPrompts"]>> {
    return this.#as(facts, this.#connection.listPrompts)
  }

  getPrompt(
    name: string,
    args?: Readonly<Record<string, string>>,
    facts: CallFacts = {}
  ): Promise<ResultOf<ReturnType<McpConnection["getPrompt"]>>> {
    return this.#as(facts, this.#connection.getPrompt(name, args, facts))
  }

  listResources(facts: CallFacts = {}): Promise<ResultOf<McpConnection["listResources"]>> {
    return this.#as(facts, this.#connection.listResources)
  }

  listResourceTemplates(facts: CallFacts = {}): Promise<ResultOf<McpConnection["listResourceTemplates"]>> {
    return this.#as(facts, this.#connection.listResourceTemplates)
  }

  readResource(uri: string, facts: CallFacts = {}): Promise<ResultOf<ReturnType<McpConnection["readResource"]>>> {
    return this.#as(facts, this.#connection.readResource(uri, facts))
  }

  /** What an argument of a prompt or of a resource template may be; nothing where the server does not complete. */
  complete(
    params: Parameters<McpConnection["complete"]>[0],
    facts: CallFacts = {}
  ): Promise<ResultOf<ReturnType<McpConnection["complete"]>>> {
    return this.#as(facts, this.#connection.complete(params, facts))
  }

  /** What the server says to no call in particular, from now on, until the loop over it is left. */
  events(): AsyncIterable<ServerEvent> {
    return Stream.toAsyncIterable(this.#connection.events)
  }

  /** Lets go of the connection; the last one to do so ends the MCP session and disconnects. */
  close(): Promise<void> {
    return this.#close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #as<A>(facts: CallFacts, effect: Effect.Effect<A, McpError>): Promise<A> {
    return this.#run(withCall(effect, { principal: this.principal, ...partsOf(facts) }), facts.signal)
  }
}
