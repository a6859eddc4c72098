/**
 * The client of a connection at the moment, the calls made with it, and what its server says.
 *
 * A client whose era was taken from what was known before may be of the wrong one. Then the first refusal says so: the
 * era is asked for, once for all, and where it is another, the calls that were refused are made anew. One that the
 * server may have taken is not.
 */
import type { Client } from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RcMap from "effect/RcMap"
import * as RcRef from "effect/RcRef"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as CallRequest from "../call/CallRequest.ts"
import { ClientFeatures } from "../ClientFeatures.ts"
import { HttpLimits } from "../http/HttpLimits.ts"
import type { CallOptions } from "../McpConnection.ts"
import { CallTimedOut, McpError, type McpErrorReason, ProtocolFailed } from "../McpError.ts"
import * as Repeating from "./Repeating.ts"
import * as SdkClient from "./SdkClient.ts"
import * as SdkFailure from "../failure/SdkFailure.ts"
import * as ServerEvents from "../ServerEvents.ts"

export interface LiveClient {
  /** The client that the next call is made with. */
  readonly present: () => SdkClient.SdkClient
  /** Makes a call of the fiber. */
  readonly invoke: <A>(
    options: CallOptions | undefined,
    run: (client: Client, request: CallRequest.CallRequestOptions) => Promise<A>
  ) => Effect.Effect<A, McpError>
  readonly events: Stream.Stream<ServerEvents.ServerEvent>
  readonly subscribeResource: (uri: string) => Effect.Effect<void, McpError, Scope.Scope>
}

/** Connects, and disconnects when the scope closes. */
export const make = Effect.fnUntraced(function* (
  options: SdkClient.OpenOptions
): Effect.fn.Return<LiveClient, McpError, Scope.Scope> {
  const { entry, eras, owner, services, way } = options
  const scope = yield* Effect.scope
  const failed = (reason: McpErrorReason) => new McpError({ server: entry.name, reason })
  const events = new ServerEvents.ServerEvents()
  yield* Effect.addFinalizer(() => events.end)
  const subscribed = new Set<string>()
  const { logLevel } = Context.get(services, ClientFeatures)
  const limits = Context.get(services, HttpLimits)

  /** A request of the connection's own. */
  const ask = <A>(
    run: (client: Client, request: { readonly signal: AbortSignal; readonly timeout: number }) => Promise<A>
  ) =>
    Effect.tryPromise({
      try: (signal) => run(present.client, { signal, timeout: entry.connectTimeout }),
      catch: (error) => failed(SdkFailure.reason(error, present.owner, present.owner))
    })

  /** What a new session of the legacy era has to be told. */
  const tell = Effect.gen(function* () {
    if (present.era === "modern") return
    if (logLevel !== undefined && present.client.getServerCapabilities()?.logging !== undefined) {
      yield* ask((client, request) => client.setLoggingLevel(logLevel, request))
    }
    for (const uri of subscribed) yield* ask((client, request) => client.subscribeResource({ uri }, request))
  }).pipe(
    Effect.catch((error) => Effect.logWarning(`${error.message}; what the server should say unasked may be missing`))
  )
  const onrenewed = () => {
    events.publish({ _tag: "Renewed" })
    if (connected) Effect.runForkWith(services)(tell)
  }

  // A session may be forgotten before the client is told that it has one.
  let connected = false
  let present = yield* SdkClient.open(options, { events, onrenewed })
  connected = true
  yield* tell

  const oneAtATime = yield* Semaphore.make(1)
  /** Asks for the era after all; gives the client of the other era, where it is another. */
  const reconsider = (used: SdkClient.SdkClient) =>
    Semaphore.withPermit(
      oneAtATime,
      Effect.gen(function* () {
        if (present !== used) return present.era === used.era ? undefined : present
        if (!present.assumed || way._tag !== "Http") return undefined
        eras.forget(owner.principal, way.headers.url.href)
        const next = yield* Scope.provide(SdkClient.open(options, { events, onrenewed }), scope)
        if (next.era === used.era) {
          present = { ...used, assumed: false }
          yield* next.close
          return undefined
        }
        // The other one stays until the scope closes: refusals of calls made with it may be on their way.
        present = next
        yield* tell
        return next
      })
    )

  const invoke: LiveClient["invoke"] = (callOptions, run) => {
    const made = ({ client, owner: connection }: SdkClient.SdkClient) =>
      Repeating.run(callOptions ?? {}, limits, (options) =>
        CallRequest.invoke((request) => run(client, request), options, { server: entry.name, owner: connection })
      )
    return Effect.suspend(() => {
      const used = present
      if (!used.assumed) return made(used)
      return made(used).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            if (present === used) present = { ...used, assumed: false }
          })
        ),
        Effect.catchIf(
          (error) => SdkClient.contradictsEra(error.reason),
          (error) =>
            Effect.flatMap(
              Effect.orElseSucceed(reconsider(used), () => undefined),
              (other) => (other === undefined || !SdkClient.isRefusal(error.reason) ? Effect.fail(error) : made(other))
            )
        )
      )
    })
  }

  const modern = () => (present.era === "modern" ? present.client : undefined)
  const lists = yield* RcRef.make({
    acquire: Effect.suspend(() => {
      const filter = present.era === "modern" ? ServerEvents.listsOf(present.client) : undefined
      return filter === undefined
        ? Effect.void
        : Effect.asVoid(Effect.forkScoped(ServerEvents.listen(modern, filter, events, () => {})))
    })
  })

  const subscription = Effect.fnUntraced(function* (uri: string): Effect.fn.Return<void, McpError, Scope.Scope> {
    if (present.era === "legacy") {
      yield* Effect.acquireRelease(
        ask((client, request) => client.subscribeResource({ uri }, request)),
        () => Effect.ignore(ask((client, request) => client.unsubscribeResource({ uri }, request)))
      )
      yield* Effect.acquireRelease(
        Effect.sync(() => subscribed.add(uri)),
        () => Effect.sync(() => subscribed.delete(uri))
      )
      return
    }
    const heard = yield* Deferred.make<void>()
    const open = () => Deferred.doneUnsafe(heard, Exit.void)
    const listening = yield* Effect.forkScoped(
      ServerEvents.listen(modern, { resourceSubscriptions: [uri] }, events, open)
    )
    const ended = Effect.andThen(
      Fiber.join(listening),
      Effect.fail(failed(new ProtocolFailed({ code: undefined, description: NO_SUBSCRIPTIONS })))
    )
    const milliseconds = entry.connectTimeout
    yield* Effect.raceFirst(Deferred.await(heard), ended).pipe(
      Effect.timeoutOrElse({
        duration: milliseconds,
        orElse: () => Effect.fail(failed(new CallTimedOut({ operation: `subscribing to ${uri}`, milliseconds })))
      })
    )
  })
  const subscriptions = yield* RcMap.make({ lookup: subscription })

  return {
    present: () => present,
    invoke,
    events: Stream.unwrap(
      Effect.gen(function* () {
        const listener = yield* events.listener
        yield* RcRef.get(lists)
        return Stream.fromQueue(listener)
      })
    ),
    subscribeResource: Effect.fnUntraced(function* (uri) {
      // A scope of its own, so that one that failed is forgotten at once and the next attempt begins anew.
      const held = yield* Scope.fork(yield* Effect.scope)
      yield* RcMap.get(subscriptions, uri).pipe(
        Scope.provide(held),
        Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(held, exit) : Effect.void))
      )
    })
  }
})

const NO_SUBSCRIPTIONS = "the server offers no subscriptions to resources; read it again from time to time"
