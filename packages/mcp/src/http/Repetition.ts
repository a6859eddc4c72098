/**
 * Waiting before a request that may be repeated is sent again, and counting that it was.
 *
 * The wait runs on the clock of the call and ends with it; a request whose call ended is never sent again.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import type { HttpLimits } from "./HttpLimits.ts"
import type { McpErrorReason } from "../McpError.ts"
import type { RequestFailure } from "../failure/RequestFailure.ts"
import * as RetryAfter from "./RetryAfter.ts"

/** How often a request was sent again, by the reason: a status, or `network` where there was no answer. */
export const retries = (reason: string) =>
  Metric.counter("letterhead_retries", {
    description: "Requests that were sent again after a failure that may pass",
    incremental: true,
    attributes: { reason }
  })

/**
 * Waits as long as the answer, or the back-off, says; `false` where the server wants to be left alone for longer than
 * the limit. `reason` is `undefined` where there was no answer.
 */
export const wait = Effect.fnUntraced(function* (
  reason: McpErrorReason | undefined,
  repetitions: number,
  limits: HttpLimits
): Effect.fn.Return<boolean> {
  const refused = reason?._tag === "HttpFailed" ? reason : undefined
  const delay = RetryAfter.delay(refused?.retryAfter, repetitions, yield* Random.next, limits)
  if (delay === undefined) return false
  yield* Effect.sleep(delay)
  yield* Metric.update(retries(refused === undefined ? "network" : String(refused.status)), 1)
  return true
})

/** Whether a failure is one of the network, which may pass, and not the server's last word. */
export const isBroken = ({ reason }: RequestFailure): boolean =>
  reason._tag === "Unreachable" || reason._tag === "ConnectionClosed"
