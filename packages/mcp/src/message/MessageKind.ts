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

/** The same of what is not known to be a message yet: whether it is plainly a result, as the SDK's schema has it. */
export const isPlainResult = (value: unknown): value is JSONRPCResultResponse =>
  isRecord(value) &&
  value["jsonrpc"] === "2.0" &&
  (typeof value["id"] === "string" || typeof value["id"] === "number") &&
  isRecord(value["result"]) &&
  (value["result"]["_meta"] === undefined || isRecord(value["result"]["_meta"])) &&
  Object.keys(value).length === 3

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
