/**
 * The official SDK's client, connected in the era that its server speaks.
 *
 * Where the era is known it is not asked for. What is known may be wrong by now: a server that no longer answers
 * `initialize` as it did is asked again at once, one that is no longer modern shows in its first refusal, which
 * `SdkConnection` sees to.
 */
import { Client, type SdkHttpError } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Call } from "../call/Call.ts"
import * as CallRequest from "../call/CallRequest.ts"
import { ClientFeatures } from "../ClientFeatures.ts"
import type { Era, EraCache } from "./EraCache.ts"
import { CallTimedOut, McpError, type McpErrorReason } from "../McpError.ts"
import * as OpenTransport from "../session/OpenTransport.ts"
import * as SdkFailure from "../failure/SdkFailure.ts"
import * as ServerEvents from "../ServerEvents.ts"
import * as ServerRequests from "./ServerRequests.ts"

const CLIENT_INFO = { name: "letterhead", version: "0.0.0" } as const

export interface OpenOptions extends OpenTransport.OpenOptions {
  readonly eras: EraCache
}

export interface SdkClient {
  readonly client: Client
  readonly owner: Call
  readonly era: "legacy" | "modern"
  /** Whether nothing has been heard of the server yet: its era is what was known before. */
  readonly assumed: boolean
  /** Disconnects before the scope does. */
  readonly close: Effect.Effect<void>
}

/** What becomes of what a server says. */
export interface Listener {
  readonly events: ServerEvents.ServerEvents
  /** Told when a new session was begun. */
  readonly onrenewed: () => void
}

/** Connects, and disconnects when the scope closes. */
export const open = Effect.fnUntraced(function* (
  options: OpenOptions,
  listener: Listener
): Effect.fn.Return<SdkClient, McpError, Scope.Scope> {
  const { entry, eras, owner, way } = options
  const url = way._tag === "Http" ? way.headers.url.href : undefined
  const known = url === undefined ? undefined : eras.known(owner.principal, url, yield* Clock.currentTimeMillis)
  const attempt = (era: Era | undefined) => inOwnScope((close) => connect(options, listener, era, close))
  const { connected, transport } = yield* (
    known === undefined
      ? attempt(undefined)
      : Effect.catch(attempt(known), (error) => {
          if (!contradictsEra(error.reason) || url === undefined) return Effect.fail(error)
          eras.forget(owner.principal, url)
          return attempt(undefined)
        })
  ).pipe(
    Effect.timeoutOrElse({
      duration: entry.connectTimeout,
      orElse: () => {
        const reason = new CallTimedOut({ operation: "connecting", milliseconds: entry.connectTimeout })
        return Effect.fail(new McpError({ server: entry.name, reason }))
      }
    })
  )
  const learned = url === undefined || connected.assumed ? undefined : learnedFrom(connected.client, transport)
  if (learned !== undefined && url !== undefined) {
    eras.learn(owner.principal, url, learned, yield* Clock.currentTimeMillis)
  }
  return connected
})

/** Whether a failure may come of an era that the server does not speak, and not of the call or the network. */
export const contradictsEra = (reason: McpErrorReason): boolean =>
  isRefusal(reason) ||
  (reason._tag === "ProtocolFailed" && (reason.code === undefined || CONTRADICTIONS.has(reason.code)))

/** Whether it is such a failure, and the server has done nothing. */
export const isRefusal = (reason: McpErrorReason): boolean =>
  reason._tag === "HttpFailed" && reason.status >= 400 && reason.status < 500 && !PASSING.has(reason.status)

/** Of these nothing is learned (fault F85). */
const PASSING: ReadonlySet<number> = new Set([408, 429, 431])
/** UnsupportedProtocolVersion, "method not found", and what servers of the legacy era say of a missing session. */
const CONTRADICTIONS: ReadonlySet<number> = new Set([-32_022, -32_601, -32_000, -32_001])

const connect = Effect.fnUntraced(function* (
  options: OpenOptions,
  listener: Listener,
  era: Era | undefined,
  close: Effect.Effect<void>
): Effect.fn.Return<Connected, McpError, Scope.Scope> {
  const transport = yield* OpenTransport.open(options)
  const { owner } = transport
  const features = Context.get(options.services, ClientFeatures)
  const client = new Client(CLIENT_INFO, {
    capabilities: ServerRequests.capabilitiesOf(features),
    versionNegotiation: { mode: "auto" }
  })
  const questions = new ServerRequests.Questions()
  transport.transport.onanswer = questions.note
  ServerRequests.answer(client, features, questions, owner)
  ServerEvents.publish(client, listener.events)
  transport.renewable.onrenewed = listener.onrenewed
  yield* Effect.tryPromise({
    try: () =>
      client.connect(transport.transport, {
        timeout: CallRequest.SDK_TIMEOUT,
        ...(era === undefined ? {} : { prior: era })
      }),
    catch: (error) => new McpError({ server: options.entry.name, reason: SdkFailure.reason(error, owner, owner) })
  })
  const spoken = client.getProtocolEra() ?? "legacy"
  // A legacy server has answered `initialize` by now.
  const assumed = era?.kind === "modern"
  return { connected: { client, owner, era: spoken, assumed, close }, transport }
})

interface Connected {
  readonly connected: SdkClient
  readonly transport: OpenTransport.OpenedTransport
}

/** Runs it in a scope within the present one, which is closed where it fails, and can be closed before. */
const inOwnScope = Effect.fnUntraced(function* <A, E>(
  run: (close: Effect.Effect<void>) => Effect.Effect<A, E, Scope.Scope>
): Effect.fn.Return<A, E, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  return yield* run(Scope.close(scope, Exit.void)).pipe(
    Scope.provide(scope),
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
  )
})

/** What a connection has taught that holds for others; a bare 404 may be of anything (fault F85). */
const learnedFrom = (client: Client, { renewable }: OpenTransport.OpenedTransport): Era | undefined => {
  const discover = client.getDiscoverResult()
  if (discover !== undefined) return { kind: "modern", discover }
  const refusal = renewable.discoverRefusal
  return refusal?.status === 404 && !isJsonRpcError(refusal) ? undefined : { kind: "legacy" }
}

const isJsonRpcError = ({ data }: SdkHttpError): boolean => {
  const text = data["text"]
  try {
    const body: unknown = typeof text === "string" ? JSON.parse(text) : undefined
    return typeof body === "object" && body !== null && "jsonrpc" in body && "error" in body
  } catch {
    return false
  }
}
