/**
 * What a server says without being asked, as it reaches those who listen.
 *
 * In the legacy era it comes on the streams that are open anyway. A modern server says it on a stream that is asked for
 * (`subscriptions/listen`): one for its lists is open while anybody listens, one for each resource while anybody
 * subscribes to it, with the headers of the connection's owner. One that ends is opened again, later and later.
 */
import * as BackOff from "@letterhead/core/helper/BackOff"
import {
  type Client,
  type LoggingLevel,
  METHOD_NOT_FOUND,
  ProtocolError,
  type SubscriptionFilter
} from "@modelcontextprotocol/client"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { CALM } from "./session/Renewal.ts"

/** A list is not what it was: list it again. */
export interface ListChanged {
  readonly _tag: "ListChanged"
  readonly list: "tools" | "prompts" | "resources"
}

/** A resource that was subscribed to has changed: read it again. */
export interface ResourceUpdated {
  readonly _tag: "ResourceUpdated"
  readonly uri: string
}

/** The server logs something; see `ClientFeatures`. */
export interface LogMessage {
  readonly _tag: "LogMessage"
  readonly level: LoggingLevel
  readonly logger: string | undefined
  readonly data: unknown
}

/** The server was out of hearing and is there again; what it said in between is lost, so look again. */
export interface Renewed {
  readonly _tag: "Renewed"
}

export type ServerEvent = ListChanged | ResourceUpdated | LogMessage | Renewed

/** Events that wait for one listener; the oldest make room. */
export const HELD = 256

/** Milliseconds that a modern server has to say that it heard who listens. */
const ACKNOWLEDGE_TIMEOUT = 30_000

/** Those who listen on a connection; nothing is kept where nobody does. */
export class ServerEvents {
  readonly #listeners = new Set<Queue.Queue<ServerEvent, Cause.Done>>()

  publish(event: ServerEvent): void {
    for (const listener of this.#listeners) Queue.offerUnsafe(listener, event)
  }

  /** Everything from now on, until the scope closes. */
  readonly listener: Effect.Effect<Queue.Dequeue<ServerEvent, Cause.Done>, never, Scope.Scope> = Effect.acquireRelease(
    Effect.tap(Queue.sliding<ServerEvent, Cause.Done>(HELD), (queue) =>
      Effect.sync(() => void this.#listeners.add(queue))
    ),
    (queue) => {
      this.#listeners.delete(queue)
      return Queue.shutdown(queue)
    }
  )

  /** Ends all that listen. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.#listeners, (listener) => Queue.end(listener), { discard: true })
  )
}

/** Has what a client is told become events. */
export const publish = (client: Client, events: ServerEvents): void => {
  const listChanged = (list: ListChanged["list"]) => () => {
    events.publish({ _tag: "ListChanged", list })
  }
  client.setNotificationHandler("notifications/tools/list_changed", listChanged("tools"))
  client.setNotificationHandler("notifications/prompts/list_changed", listChanged("prompts"))
  client.setNotificationHandler("notifications/resources/list_changed", listChanged("resources"))
  client.setNotificationHandler("notifications/resources/updated", ({ params: { uri } }) => {
    events.publish({ _tag: "ResourceUpdated", uri })
  })
  client.setNotificationHandler("notifications/message", ({ params: { data, level, logger } }) => {
    events.publish({ _tag: "LogMessage", level, logger, data })
  })
}

/** The lists of which a server says that it tells when they change; `undefined` where there is none. */
export const listsOf = (client: Client): SubscriptionFilter | undefined => {
  const { prompts, resources, tools } = client.getServerCapabilities() ?? {}
  const filter = {
    ...(tools?.listChanged === true ? { toolsListChanged: true } : {}),
    ...(prompts?.listChanged === true ? { promptsListChanged: true } : {}),
    ...(resources?.listChanged === true ? { resourcesListChanged: true } : {})
  }
  return Object.keys(filter).length === 0 ? undefined : filter
}

/** Listens to a modern server until it is interrupted, the server does not offer that, or there is no such client. */
export const listen = Effect.fnUntraced(function* (
  clientOf: () => Client | undefined,
  filter: SubscriptionFilter,
  events: ServerEvents,
  heard: () => void
): Effect.fn.Return<void> {
  let inRow = 0
  let opened = 0
  const acknowledged = () => {
    heard()
    if (++opened > 1) events.publish({ _tag: "Renewed" })
  }
  for (;;) {
    const client = clientOf()
    if (client === undefined) return
    const begun = yield* Clock.currentTimeMillis
    if (!(yield* listenOnce(client, filter, acknowledged))) return
    inRow = (yield* Clock.currentTimeMillis) - begun >= CALM ? 1 : inRow + 1
    yield* Effect.sleep(BackOff.delay(inRow, yield* Random.next))
  }
})

/** Listens until it ends; whether to do so again: not where the server knows nothing of it. */
const listenOnce = (client: Client, filter: SubscriptionFilter, acknowledged: () => void): Effect.Effect<boolean> =>
  Effect.promise(async (signal) => {
    try {
      const subscription = await client.listen(filter, { signal, timeout: ACKNOWLEDGE_TIMEOUT })
      acknowledged()
      await subscription.closed
      return true
    } catch (error) {
      return !(error instanceof ProtocolError && error.code === METHOD_NOT_FOUND)
    }
  })
