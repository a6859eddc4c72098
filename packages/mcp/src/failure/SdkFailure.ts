/**
 * What an error of an SDK means to the caller of this package. Errors of SDK 1 are known by their shape.
 *
 * No error of the SDK is passed on, not as a cause either: its messages and data quote what the server sent, which may
 * quote what we sent. Its text is masked with the headers of the call and of the connection.
 */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client"
import type { Call } from "../call/Call.ts"
import * as Masking from "./Masking.ts"
import {
  CallbackFailed,
  CallTimedOut,
  ConnectionClosed,
  Forbidden,
  HttpFailed,
  type McpErrorReason,
  ProtocolFailed,
  Unauthorized
} from "../McpError.ts"
import { messageOf } from "./Refusal.ts"
import * as RequestFailure from "./RequestFailure.ts"

/** The reason for a call, or for a connection that was being opened, to fail. */
export const reason = (
  error: unknown,
  call: Call,
  owner: Call,
  sent: ReadonlyArray<Masking.Sent> = [...call.sent, ...owner.sent]
): McpErrorReason => {
  const found = find(error, call, owner, sent)
  if (found !== undefined) return found
  if (error instanceof SyntaxError) return new ProtocolFailed({ code: undefined, description: NOT_JSON })
  if (error instanceof TypeError && error.message === "terminated") {
    return new ConnectionClosed({ description: "the connection broke while the answer was being read" })
  }
  const text = error instanceof Error ? error.message : "the SDK failed without a reason"
  return new ProtocolFailed({ code: undefined, description: Masking.describe(text, sent) })
}

/** An error of the SDK as the client of another may be told it: of the same class, with these values masked. */
export const masked = (error: unknown, sent: ReadonlyArray<Masking.Sent>): unknown => {
  // It quotes a part of what the server sent, and a part of a value cannot be found in it.
  if (error instanceof SyntaxError) return new SyntaxError(NOT_JSON)
  // So does a schema, of the names too.
  if (error instanceof Error && "issues" in error) return new Error(NOT_MCP)
  if (isOfAnotherType(error)) {
    return new SdkError(error.code, Masking.mask(error.message, sent), Masking.maskWithin(error.data, sent))
  }
  if (!(error instanceof SdkHttpError)) return error
  const { text } = error.data
  const data = typeof text === "string" ? { ...error.data, text: Masking.mask(text, sent) } : error.data
  return new SdkHttpError(error.code, Masking.mask(error.message, sent), data)
}

/** The reason for a function of a runtime's own to fail: the SDK's that it uses, or its own. */
export const ofCallback = (error: unknown, call: Call): McpErrorReason => {
  for (let cause = error, depth = 0; cause instanceof Error && depth < DEPTH; cause = cause.cause, depth += 1) {
    const found = find(cause, call, call, call.sent)
    if (found !== undefined) return found
  }
  const text = error instanceof Error ? error.message : typeof error === "string" ? error : "it gives no reason"
  return new CallbackFailed({ description: Masking.describe(text, call.sent), cause: error })
}

/** How many causes deep a function may wrap what an SDK threw. */
const DEPTH = 5

/** The reason of an error that is known to be ours or an SDK's. */
const find = (
  error: unknown,
  call: Call,
  owner: Call,
  sent: ReadonlyArray<Masking.Sent>
): McpErrorReason | undefined => {
  const ours = RequestFailure.find(error) ?? call.failure
  if (ours !== undefined) return ours
  const describe = (text: string) => Masking.describe(text, sent)
  if (error instanceof ProtocolError) {
    return new ProtocolFailed({ code: error.code, description: describe(error.message) })
  }
  if (error instanceof SdkHttpError) return ofHttp(error, describe)
  if (error instanceof SdkError) return ofSdk(error, describe, owner)
  if (isOfOlderSdk(error)) return ofOlderSdk(error, describe, owner)
  if (!(error instanceof Error)) return undefined
  if (error.message === "Not connected") return owner.failure ?? new ConnectionClosed(CLOSED)
  // A schema found something else than it describes in the answer, and lists at length what it found instead.
  return "issues" in error ? new ProtocolFailed({ code: undefined, description: NOT_MCP }) : undefined
}

/** `McpError` of `@modelcontextprotocol/sdk`, which need not be installed. */
interface OlderSdkError extends Error {
  readonly code: number
}

const isOfOlderSdk = (error: unknown): error is OlderSdkError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "number" &&
  error.message.startsWith(`MCP error ${error.code}: `)

const ofOlderSdk = (error: OlderSdkError, describe: (text: string) => string, owner: Call): McpErrorReason => {
  const { code, message } = error
  const text = message.slice(`MCP error ${code}: `.length)
  const milliseconds = millisecondsOf("data" in error ? error.data : undefined)
  if (code === REQUEST_TIMEOUT && milliseconds > 0) return new CallTimedOut({ operation: "the request", milliseconds })
  if (code === CONNECTION_CLOSED && text === "Connection closed") return owner.failure ?? new ConnectionClosed(CLOSED)
  return new ProtocolFailed({ code, description: describe(text) })
}

const CONNECTION_CLOSED = -32_000
const REQUEST_TIMEOUT = -32_001

const CLOSED = { description: "the connection was closed before the call was answered" }

const NOT_JSON = "the server answered with something that is not JSON; is this the URL of an MCP server?"
const NOT_MCP = "the server answered with something that is not MCP; is this the URL of an MCP server?"

const ofHttp = (error: SdkHttpError, describe: (text: string) => string): McpErrorReason => {
  const text = error.data["text"]
  const said = typeof text === "string" ? (messageOf(text) ?? text) : ""
  const html = /^\s*<(?:!doctype|html)/i.test(said)
  const description = describe(said === "" || html ? (error.statusText ?? "") : said) || "the server gives no reason"
  switch (error.status) {
    case 401:
      return new Unauthorized({ source: undefined, declared: undefined, description })
    case 403:
      return new Forbidden({ description })
    default:
      return new HttpFailed({ status: error.status, description })
  }
}

const ofSdk = (error: SdkError, describe: (text: string) => string, owner: Call): McpErrorReason => {
  switch (error.code) {
    case SdkErrorCode.RequestTimeout:
      return new CallTimedOut({ operation: "the request", milliseconds: millisecondsOf(error.data) })
    case SdkErrorCode.ConnectionClosed:
    case SdkErrorCode.NotConnected:
      return owner.failure ?? new ConnectionClosed(CLOSED)
    case SdkErrorCode.EraNegotiationFailed:
      if (error.cause instanceof SyntaxError) return new ProtocolFailed({ code: undefined, description: NOT_JSON })
      // Often a page for people: the URL is that of a site, or of the documentation.
      return new ProtocolFailed({
        code: undefined,
        description: isOfAnotherType(error.cause) ? NOT_MCP : describe(error.message)
      })
    default:
      return new ProtocolFailed({ code: undefined, description: describe(error.message) })
  }
}

const isOfAnotherType = (cause: unknown): cause is SdkError =>
  cause instanceof SdkError && cause.code === SdkErrorCode.ClientHttpUnexpectedContent

const millisecondsOf = (data: unknown): number =>
  typeof data === "object" && data !== null && "timeout" in data && typeof data.timeout === "number" ? data.timeout : 0
