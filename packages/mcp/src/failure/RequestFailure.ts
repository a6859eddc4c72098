/**
 * How a reason of ours crosses the SDK: thrown by `fetch`, found again in whatever the SDK makes of it.
 *
 * The SDK passes an error of `fetch` on as it is, except while it negotiates the era: there it becomes the cause of a
 * connect error, and teaches nothing about the era (fault F85). As the data of a JSON-RPC error it ends a request that
 * was sent.
 */
import { McpError, type McpErrorReason } from "../McpError.ts"

export class RequestFailure extends Error {
  readonly reason: McpErrorReason

  constructor(reason: McpErrorReason) {
    super(reason.message)
    this.name = "RequestFailure"
    this.reason = reason
  }
}

/** How many causes deep the SDK may wrap. */
const DEPTH = 5

/** The reason within an error, where it is one of ours. */
export const find = (error: unknown): McpErrorReason | undefined => {
  let current = error
  for (let depth = 0; depth < DEPTH && current instanceof Error; depth += 1) {
    if (current instanceof RequestFailure || current instanceof McpError) return current.reason
    // Where it is the answer of a request that will not be answered any more.
    if ("data" in current && current.data instanceof RequestFailure) return current.data.reason
    current = current.cause
  }
  return undefined
}

/** What a client of an SDK is told of something that was thrown. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
