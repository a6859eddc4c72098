/**
 * Letterhead for runtimes that do not use Effect: the same layers behind promises.
 *
 * ```ts
 * await using letterhead = createLetterhead({ config: ".mcp.json" })
 * await using linear = await letterhead.connect("linear", { principal: "ada" })
 * await linear.callTool("list_issues", {}, { session: "s-1" })
 * ```
 *
 * Make one and keep it: connections, limits and single flight hold within it. Closing it closes all that it opened.
 */
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import { ClientFeatures } from "@letterhead/mcp/ClientFeatures"
import { McpError } from "@letterhead/mcp/McpError"
import {
  type CallRequestOptions,
  type ClientTransport,
  McpTransport,
  requestOptions
} from "@letterhead/mcp/McpTransport"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { explain, type ExplainedHeader } from "../ExplainedHeader.ts"
import * as Letterhead from "../Letterhead.ts"
import { type CallFacts, contextOf, type OwnerFacts } from "./CallFacts.ts"
import { ClientConnection } from "./ClientConnection.ts"
import * as LetterheadError from "./LetterheadError.ts"
import { clientFeatures, type PromiseFeatures } from "./PromiseFeatures.ts"
import { callHook, type PromiseHook } from "./PromiseHook.ts"

/** As the official SDKs and others take one in place of the global `fetch`. */
export type FetchLike = Effect.Success<ReturnType<McpTransport["Service"]["fetch"]>>

export interface ClientOptions extends Omit<Letterhead.Options, "configFile" | "servers" | "values"> {
  /**
   * A file, relative to `cwd`, or a URL; or what would stand in such a file. Default: the files that the command reads.
   *
   * What a file in a project says needs the approval of a person (`letterhead trust approve`). What the program says
   * itself is its own.
   */
  readonly config?: string | { readonly mcpServers: Readonly<Record<string, unknown>> }
  /** Hooks of the runtime, in the order they run. Default: none. */
  readonly hooks?: ReadonlyArray<PromiseHook>
  /** What the runtime does for servers that ask: its user, its model, its roots. Default: nothing is offered. */
  readonly features?: PromiseFeatures
}

/** The layers that a client stands on; a test brings `Letterhead.layerTest()`. */
export type ClientLayer = Layer.Layer<McpTransport | HeaderResolver | McpConfig, ConfigError>

export class LetterheadClient implements AsyncDisposable {
  readonly #runtime: ManagedRuntime.ManagedRuntime<McpTransport | HeaderResolver | McpConfig, ConfigError>
  /** What was opened and not closed; it ends before the layers do. */
  readonly #open = new Set<() => Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(layer: ClientLayer) {
    this.#runtime = ManagedRuntime.make(layer)
  }

  /** The names of the configured servers. */
  servers(): Promise<ReadonlyArray<string>> {
    return this.#run(Effect.map(McpConfig, ({ servers }) => [...servers.keys()]))
  }

  /** The connection of a principal to a server; one per principal and server, however often it is asked for. */
  async connect(server: string, facts: OwnerFacts & { readonly signal?: AbortSignal } = {}): Promise<ClientConnection> {
    const held = await this.#hold(
      McpTransport.use((transport) => transport.connect(server, contextOf(facts))),
      facts.signal
    )
    return new ClientConnection(held.value, (effect, signal) => this.#run(effect, signal), held.close)
  }

  /**
   * A transport for a client of the official SDK, version 1 or 2, that all sessions of the principal share; give each
   * call its {@link callOptions}. Closing the client closes it.
   */
  async transport(server: string, facts: OwnerFacts = {}): Promise<ClientTransport> {
    const held = await this.#hold(McpTransport.use((transport) => transport.transport(server, contextOf(facts))))
    return held.value
  }

  /** The options of one call of an SDK client on a {@link transport}: `client.callTool(…, letterhead.callOptions(facts))`. */
  callOptions(facts: OwnerFacts & Omit<CallFacts, "timeout">): CallRequestOptions {
    return requestOptions(contextOf(facts), facts)
  }

  /** A `fetch` for code that builds its own transport; all that goes through it is of this one session. */
  async fetch(server: string, facts: OwnerFacts = {}): Promise<FetchLike> {
    const held = await this.#hold(McpTransport.use((transport) => transport.fetch(server, contextOf(facts))))
    return (...request) =>
      held.value(...request).catch((error: unknown) => {
        throw error instanceof McpError ? LetterheadError.of(error) : error
      })
  }

  /** What would be sent with a call, masked, where it comes from, and what is left out and why. Sends nothing. */
  headers(
    server: string,
    facts: OwnerFacts & { readonly call?: string } = {}
  ): Promise<ReadonlyArray<ExplainedHeader>> {
    return this.#run(
      Effect.gen(function* () {
        const entry = yield* (yield* McpConfig).get(server)
        const resolver = yield* HeaderResolver
        return explain(yield* resolver.explain(entry, { ...contextOf(facts), server, method: "tools/call" }))
      })
    )
  }

  /** Closes all that was opened. Nothing can be asked afterwards. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#open].map((close) => close()))
    await this.#runtime.dispose()
  }

  /** What lives in a scope, with what closes that. */
  async #hold<A>(
    effect: Effect.Effect<A, McpError, McpTransport | Scope.Scope>,
    signal?: AbortSignal
  ): Promise<{ readonly value: A; readonly close: () => Promise<void> }> {
    const scope = Scope.makeUnsafe()
    const close = async () => {
      this.#open.delete(close)
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
    this.#open.add(close)
    try {
      return { value: await this.#run(Scope.provide(effect, scope), signal), close }
    } catch (error) {
      await close()
      throw error
    }
  }

  async #run<A>(
    effect: Effect.Effect<A, McpError | HeaderError | ConfigError, McpTransport | HeaderResolver | McpConfig>,
    signal?: AbortSignal
  ): Promise<A> {
    if (this.#closing !== undefined) throw new LetterheadError.ClosedError("this Letterhead")
    signal?.throwIfAborted()
    const exit = await this.#runtime.runPromiseExit(effect, signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    signal?.throwIfAborted()
    const error = Cause.findErrorOption(exit.cause)
    throw Option.isSome(error) ? LetterheadError.of(error.value) : Cause.squash(exit.cause)
  }
}

/** Letterhead over a configuration; nothing is read before something is asked. */
export const createLetterhead = (options: ClientOptions = {}): LetterheadClient => {
  const { config, features, hooks, ...rest } = options
  return new LetterheadClient(
    Letterhead.layer({
      ...rest,
      ...(typeof config === "string" ? { configFile: config } : {}),
      ...(typeof config === "object" ? { values: { entries: config.mcpServers, origin: PROGRAM } } : {})
    }).pipe(
      Layer.provide(Layer.succeed(CallHooks, (hooks ?? []).map(callHook))),
      Layer.provide(Layer.succeed(ClientFeatures, clientFeatures(features ?? {})))
    )
  )
}

/** The program that passes a configuration is the person's own. */
const PROGRAM = { scope: "user", source: "the configuration of createLetterhead" } as const
