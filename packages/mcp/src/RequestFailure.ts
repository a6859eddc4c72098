/**
 * How a reason of ours crosses the SDK: thrown by `fetch`, found again in whatever the SDK makes of it.
 *
 * The SDK passes an error of `fetch` on as it is, except while it negotiates the era: there it becomes the cause of a
 * connect error, and teaches nothing about the era (fault F85).
 */
import type { McpErrorReason } from "./McpError.ts"

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
    if (current instanceof RequestFailure) return current.reason
    current = current.cause
  }
  return undefined
}
