/**
 * What kind a JSON-RPC message is, told by the members that it has.
 *
 * For messages that were made or read by an SDK: the SDK's own functions of these purposes parse the whole message
 * again, which is dear for something that every call asks several times.
 */
import type {
  JSONRPCErrorResponse,
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResultResponse
} from "@modelcontextprotocol/client"

export const isRequest = (message: JSONRPCMessage): message is JSONRPCRequest => "method" in message && "id" in message

export const isNotification = (message: JSONRPCMessage): message is JSONRPCNotification =>
  "method" in message && !("id" in message)

/** Whether it answers a request, with a result or an error. */
export const isAnswer = (message: JSONRPCMessage): message is JSONRPCResultResponse | JSONRPCErrorResponse =>
  !("method" in message)

export const isResult = (message: JSONRPCMessage): message is JSONRPCResultResponse => "result" in message

/** The same of what is yet to be told a message: one that is plainly a result, and nothing else beside. */
export const isPlainResult = (value: unknown): value is JSONRPCResultResponse =>
  typeof value === "object" &&
  value !== null &&
  "jsonrpc" in value &&
  value.jsonrpc === "2.0" &&
  "id" in value &&
  (typeof value.id === "string" || typeof value.id === "number") &&
  "result" in value &&
  typeof value.result === "object" &&
  value.result !== null &&
  !("error" in value) &&
  !("method" in value)
