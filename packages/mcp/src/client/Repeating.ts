/**
 * Makes a call once more whose answer was lost on its way, where its caller says that twice is the same as once.
 *
 * A stream that broke and cannot be resumed leaves it open whether the server did what it was asked. What breaks before
 * an answer has begun, or within one that is read as a whole, is repeated request by request; see `RequestHeaders`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TIMEOUT_DEFAULT } from "../call/CallRequest.ts"
import type { HttpLimits } from "../http/HttpLimits.ts"
import type { CallOptions } from "../McpConnection.ts"
import type { McpError } from "../McpError.ts"
import * as Repetition from "../http/Repetition.ts"

/** All attempts together have the time of one. */
export const run = <A>(
  options: CallOptions,
  limits: HttpLimits,
  attempt: (options: CallOptions) => Effect.Effect<A, McpError>
): Effect.Effect<A, McpError> => (options.idempotent === true ? repeating(options, limits, attempt) : attempt(options))

const repeating = Effect.fnUntraced(function* <A>(
  options: CallOptions,
  limits: HttpLimits,
  attempt: (options: CallOptions) => Effect.Effect<A, McpError>
): Effect.fn.Return<A, McpError> {
  const end = (yield* Clock.currentTimeMillis) + (options.timeout ?? TIMEOUT_DEFAULT)
  for (let repetitions = 0; ; repetitions += 1) {
    const result = yield* Effect.result(attempt({ ...options, timeout: yield* left(end) }))
    if (result._tag === "Success") return result.success
    const { failure } = result
    if (failure.reason._tag !== "ConnectionClosed" || repetitions >= limits.retries) return yield* failure
    const waited = yield* Effect.timeoutOption(Repetition.wait(undefined, repetitions, limits), yield* left(end))
    if (Option.isNone(waited) || !waited.value) return yield* failure
  }
})

const left = (end: number): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, end - now))
