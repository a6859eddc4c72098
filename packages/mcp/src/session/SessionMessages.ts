/** What the messages of a client mean for the session that they are sent in. */
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest } from "@modelcontextprotocol/client"
import type { RequestId } from "../call/CallCorrelation.ts"
import { isNotification, isRequest } from "../message/MessageKind.ts"

export const isInitialize = (message: JSONRPCMessage): message is JSONRPCRequest =>
  isRequest(message) && message.method === "initialize"

export const isDiscover = (message: JSONRPCMessage): message is JSONRPCRequest =>
  isRequest(message) && message.method === "server/discover"

export const isInitialized = (message: JSONRPCMessage): message is JSONRPCNotification =>
  isNotification(message) && message.method === "notifications/initialized"

/** The id of the request that a cancellation gives up; `undefined` for any other message. */
export const cancelledId = (message: JSONRPCMessage): RequestId | undefined => {
  if (!isNotification(message) || message.method !== "notifications/cancelled") return undefined
  const id = message.params?.["requestId"]
  return typeof id === "string" || typeof id === "number" ? id : undefined
}

/** Whether a message means the same in a new session: requests do, and what is told of the client. */
export const isOfAnySession = (message: JSONRPCMessage): boolean =>
  isRequest(message) || (isNotification(message) && !OF_ITS_SESSION.has(message.method))

const OF_ITS_SESSION: ReadonlySet<string> = new Set([
  "notifications/cancelled",
  "notifications/initialized",
  "notifications/progress"
])
