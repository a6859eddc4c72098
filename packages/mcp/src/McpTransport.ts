/**
 * Opens connections to MCP servers on which every call carries its own headers.
 *
 * One connection per principal and server: the sessions of a principal share it, principals never do (design rule 9).
 * It is counted by the scopes that hold it; the last one to close ends the MCP session and disconnects. The dispatcher
 * and every connection end with the layer.
 */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import type { FetchLike, Transport } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import type { HttpClient } from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Scope from "effect/Scope"
import { EraCache } from "./client/EraCache.ts"
import * as HttpDispatcher from "./http/HttpDispatcher.ts"
import type { McpConnection } from "./McpConnection.ts"
import { ConfigFailed, HeadersFailed, McpError, TransportUnsupported } from "./McpError.ts"
import { StdioPrograms } from "./stdio/StdioPrograms.ts"

export { call, type CallRequestOptions, requestOptions } from "./call/CallRequest.ts"
export { RequestObserver, type SentRequest } from "./http/RequestObserver.ts"

export class McpTransport extends Context.Service<
  McpTransport,
  {
    /**
     * The connection of `owner` (default: the current call) to a server, by name or as an entry.
     *
     * One connection per principal and server while any scope holds it; the last scope to close ends it.
     *
     * Where it cannot be made since nobody is signed in, it signs `owner` in, once, and connects again. Nothing else
     * here signs in, no request ever does: they fail with `SignInRequired`.
     */
    readonly connect: (
      server: string | ServerEntry,
      owner?: CallContext
    ) => Effect.Effect<McpConnection, McpError, Scope.Scope>
    /**
     * A transport for a client of one's own, of `@modelcontextprotocol/client` or `@modelcontextprotocol/sdk`, on behalf
     * of `owner` (default: the current call).
     *
     * What the client sends within {@link call} carries the headers of its caller, everything else those of `owner`.
     * Each is for one client, to connect once; closing the client closes it, and so does the scope. It never signs in.
     */
    readonly transport: (
      server: string | ServerEntry,
      owner?: CallContext
    ) => Effect.Effect<ClientTransport, McpError, Scope.Scope>
    /**
     * A fetch all of whose requests are those of one call (default: the current one), for code that builds a transport
     * of its own. A client that several sessions share needs {@link transport}.
     *
     * It rejects with an `McpError`. When the scope closes, what is under way is aborted and nothing more is sent. It
     * never signs in.
     */
    readonly fetch: (
      server: string | ServerEntry,
      call?: CallContext
    ) => Effect.Effect<FetchLike, McpError, Scope.Scope>
    /**
     * An `HttpClient` for `McpClient.http` of `effect/ai`: a request carries the headers of the `CurrentCall` of the
     * fiber that runs it, what the client sends for itself those of `owner` (default: the current call).
     *
     * Its errors have the `McpError` as their cause. When the scope closes, nothing more is sent. It never signs in.
     */
    readonly httpClient: (
      server: string | ServerEntry,
      owner?: CallContext
    ) => Effect.Effect<HttpClient, McpError, Scope.Scope>
  }
>()("@letterhead/mcp/McpTransport") {}

/** What the clients of both official SDKs connect to. */
export interface ClientTransport extends Transport {
  readonly sessionId: string | undefined
  readonly setProtocolVersion: (version: string) => void
}

export const make = Effect.gen(function* () {
  const config = yield* McpConfig
  const resolver = yield* HeaderResolver
  const programs = yield* StdioPrograms
  const services = yield* Effect.context()
  // Before the connections, so that it ends after them: they have something to send at their end.
  const dispatcherScope = yield* Scope.fork(yield* Effect.scope)
  const dispatcher = yield* HttpDispatcher.acquire.pipe(
    Scope.provide(dispatcherScope),
    Effect.provideContext(services),
    Effect.uninterruptible,
    Effect.cached
  )
  const nextCallId = callIds()
  const eras = new EraCache()
  // When first needed, and once: each import of a module costs anew, though it is there.
  const loaded = {
    SdkConnection: yield* Effect.cached(Effect.promise(() => import("./client/SdkConnection.ts"))),
    OpenTransport: yield* Effect.cached(Effect.promise(() => import("./session/OpenTransport.ts"))),
    CallFetch: yield* Effect.cached(Effect.promise(() => import("./call/CallFetch.ts"))),
    CallHttpClient: yield* Effect.cached(Effect.promise(() => import("./call/CallHttpClient.ts")))
  }

  const lookup = Effect.fnUntraced(function* (key: ConnectionKey) {
    const { entry, owner } = key
    const way = entry.endpoint.type === "stdio" ? wayToProgram(key) : yield* wayToUrl(key)
    const { open } = yield* loaded.SdkConnection
    // A scope of its own, so that nothing of an attempt that failed is left when the next one begins.
    const connected = forgetting(open({ entry, owner, way, services, nextCallId, eras }))
    if (way._tag === "Stdio") return yield* connected
    return yield* Effect.catchIf(connected, needsSignIn, (error) =>
      way.headers.signIn(owner).pipe(
        Effect.mapError((error) => new McpError({ server: entry.name, reason: new HeadersFailed({ error }) })),
        Effect.flatMap((signedIn) => (signedIn ? connected : Effect.fail(error)))
      )
    )
  })

  const transport = Effect.fnUntraced(function* (
    server: string | ServerEntry,
    named?: CallContext
  ): Effect.fn.Return<ClientTransport, McpError, Scope.Scope> {
    const entry = yield* entryOf(server)
    const owner = { ...(named ?? (yield* CurrentCall)), server: entry.name }
    const way =
      entry.endpoint.type === "stdio"
        ? ({ _tag: "Stdio", programs, ended: () => {} } as const)
        : yield* wayToUrl({ entry, owner })
    const { open } = yield* loaded.OpenTransport
    return (yield* open({ entry, owner, way, services, nextCallId })).transport
  })

  const wayToUrl = Effect.fnUntraced(function* ({ entry, owner }: Pick<ConnectionKey, "entry" | "owner">) {
    const headers = yield* resolver
      .open(entry, owner)
      .pipe(Effect.mapError((error) => new McpError({ server: entry.name, reason: new HeadersFailed({ error }) })))
    const failed = (reason: HttpDispatcher.AcquireFailure) => new McpError({ server: entry.name, reason })
    return { _tag: "Http", headers, dispatcher: yield* Effect.mapError(dispatcher, failed) } as const
  })
  const wayToProgram = (key: ConnectionKey) => {
    // The next connect starts the program anew, whoever still holds the connection that is of no use any more.
    const ended = () => void Effect.runForkWith(services)(RcMap.invalidate(connections, key))
    return { _tag: "Stdio", programs, ended } as const
  }
  const connections: RcMap.RcMap<ConnectionKey, McpConnection, McpError> = yield* RcMap.make({ lookup })

  const openFetch = Effect.fnUntraced(function* (entry: ServerEntry, owner: CallContext) {
    if (entry.endpoint.type === "stdio") {
      const reason = new TransportUnsupported({ transport: "stdio" })
      return yield* new McpError({ server: entry.name, reason })
    }
    const { headers, dispatcher } = yield* wayToUrl({ entry, owner })
    const CallFetch = yield* loaded.CallFetch
    return yield* CallFetch.make({ entry, owner, headers, dispatcher, services, nextCallId })
  })

  const fetch = Effect.fnUntraced(function* (
    server: string | ServerEntry,
    named?: CallContext
  ): Effect.fn.Return<FetchLike, McpError, Scope.Scope> {
    const entry = yield* entryOf(server)
    const call = { ...(named ?? (yield* CurrentCall)), server: entry.name }
    const CallFetch = yield* loaded.CallFetch
    return CallFetch.boundTo(yield* openFetch(entry, call), call)
  })

  const httpClient = Effect.fnUntraced(function* (
    server: string | ServerEntry,
    named?: CallContext
  ): Effect.fn.Return<HttpClient, McpError, Scope.Scope> {
    const entry = yield* entryOf(server)
    const owner = { ...(named ?? (yield* CurrentCall)), server: entry.name }
    const CallHttpClient = yield* loaded.CallHttpClient
    return CallHttpClient.make(yield* openFetch(entry, owner), entry.name, owner)
  })

  const entryOf = (server: string | ServerEntry) =>
    typeof server === "string"
      ? config
          .get(server)
          .pipe(Effect.mapError((error) => new McpError({ server, reason: new ConfigFailed({ error }) })))
      : Effect.succeed(server)

  const connect = Effect.fn("McpTransport.connect")(function* (
    server: string | ServerEntry,
    named?: CallContext
  ): Effect.fn.Return<McpConnection, McpError, Scope.Scope> {
    const entry = yield* entryOf(server)
    const owner = { ...(named ?? (yield* CurrentCall)), server: entry.name }
    // So that one that failed is forgotten at once and the next attempt begins anew.
    return yield* forgetting(RcMap.get(connections, new ConnectionKey(entry, owner)))
  })

  return McpTransport.of({ connect, transport, fetch, httpClient })
})

/** Connections over HTTP and to programs. Provide `HttpDispatcher` for a proxy or a pool of one's own. */
export const layer: Layer.Layer<McpTransport, never, McpConfig | HeaderResolver | StdioPrograms> = Layer.effect(
  McpTransport,
  make
)

/** Runs it in a scope of its own, which closes at once where it fails. */
const forgetting = Effect.fnUntraced(function* <A, E>(
  effect: Effect.Effect<A, E, Scope.Scope>
): Effect.fn.Return<A, E, Scope.Scope> {
  const held = yield* Scope.fork(yield* Effect.scope)
  return yield* effect.pipe(
    Scope.provide(held),
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(held, exit) : Effect.void))
  )
})

const needsSignIn = ({ reason }: McpError): boolean =>
  reason._tag === "HeadersFailed" && reason.error.reason._tag === "SignInRequired"

/** What a connection is kept under: the principal and the entry. Who opened it is carried along. */
class ConnectionKey implements Equal.Equal {
  readonly entry: ServerEntry
  readonly owner: CallContext

  constructor(entry: ServerEntry, owner: CallContext) {
    this.entry = entry
    this.owner = owner
  }

  [Equal.symbol](that: unknown): boolean {
    return (
      that instanceof ConnectionKey &&
      this.owner.principal === that.owner.principal &&
      Equal.equals(this.entry, that.entry)
    )
  }

  [Hash.symbol](): number {
    return Hash.combine(Hash.string(this.owner.principal), Hash.string(this.entry.name))
  }
}

/** Ids for calls to which the runtime gave none; unique within the layer. */
const callIds = (): (() => string) => {
  let count = 0
  return () => `call-${++count}`
}
