/**
 * Gives the requests that a client of an SDK sends to the call of whoever wants them sent.
 *
 * The client is the runtime's own, connected to a transport of `McpTransport`. It takes a call along in the options of
 * a request; `call` reads the call of the fiber, and `requestOptions` takes one that is named. Without either, a request
 * is the connection's own.
 */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import type { Progress } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Call } from "./Call.ts"
import * as CallDeadlines from "./CallDeadlines.ts"
import { type CarriedOptions, carry } from "./CarriedCall.ts"
import type { CallOptions } from "../McpConnection.ts"
import { CallTimedOut, McpError } from "../McpError.ts"

/** Milliseconds until a call is given up, where its caller names no time. */
export const TIMEOUT_DEFAULT = 60_000

/**
 * Options for a request, as the clients of both SDKs take them.
 *
 * They are to be passed on as they are. To override `cacheMode` is safe where all sessions may see the same lists;
 * to override `signal`, `headers` (SDK 2) or `onresumptiontoken` (SDK 1) takes the request out of the call.
 */
export interface CallRequestOptions extends CarriedOptions {
  readonly signal: AbortSignal
  /** The client's own timer, in milliseconds. */
  readonly timeout: number
  /**
   * A client of SDK 2 would show the lists that one session was given to all the others. It goes on to note what the
   * last list said of a tool's parameters, since a modern server wants some of them repeated as header fields.
   */
  readonly cacheMode: "refresh"
  readonly onprogress?: (progress: Progress) => void
}

/**
 * Makes a call with the client of an SDK: `call((options) => client.callTool(params, options))`, with SDK 1
 * `client.callTool(params, undefined, options)`.
 *
 * What `run` sends with these options carries the headers of the `CurrentCall` of the fiber. When the fiber is
 * interrupted or the time is over, it is cancelled at the server and nothing more of it is sent; when `run` fails, what
 * it has left under way is cancelled too.
 *
 * What the SDK throws fails as the same `McpError` as on a connection of `connect`, with what we sent masked. What `run`
 * throws of its own fails as `CallbackFailed`, with the error as its cause.
 */
export const call = <A>(
  run: (options: CallRequestOptions) => Promise<A>,
  options: CallOptions = {}
): Effect.Effect<A, McpError> => invoke(run, options, {})

/**
 * Options that make a request one of this call, for code without Effect. `options.signal` ends it.
 *
 * Errors are the SDK's own; where we refuse or give up a request, they are `RequestFailure`s, or have one as `data`.
 */
export const requestOptions = (
  context: CallContext,
  options: CallOptions & { readonly signal?: AbortSignal | undefined } = {}
): CallRequestOptions => {
  const made = new Call(context, Context.empty(), options)
  const { signal, timeout = TIMEOUT_DEFAULT } = options
  return optionsOf(made, options, timeout, signal === undefined ? made.signal : AbortSignal.any([signal, made.signal]))
}

/** Where a call goes, as far as that is known before it is made. */
export interface Destination {
  readonly server?: string
  /** The connection's own call. */
  readonly owner?: Call
}

/** Makes a call; its errors tell of the destination where it never got to say it itself. */
export const invoke = <A>(
  run: (options: CallRequestOptions) => Promise<A>,
  options: CallOptions,
  destination: Destination
): Effect.Effect<A, McpError> =>
  Effect.contextWith((services: Context.Context<never>) => {
    const made = new Call(Context.get(services, CurrentCall), services, options)
    const milliseconds = options.timeout ?? TIMEOUT_DEFAULT
    return Effect.callback<A, McpError>((resume) => {
      const fail = (error: unknown) => {
        made.abort()
        answered()
        resume(translate(error, made, destination))
      }
      const answered = CallDeadlines.start(Context.get(services, Clock.Clock), milliseconds, () =>
        fail(timedOut(made, destination, milliseconds))
      )
      const succeed = (value: A) => {
        answered()
        made.forget()
        resume(Effect.succeed(value))
      }
      try {
        run(optionsOf(made, options, SDK_TIMEOUT, made.signal)).then(succeed, fail)
      } catch (error) {
        fail(error)
      }
      return Effect.sync(() => {
        made.abort()
        answered()
      })
    })
  })

const timedOut = ({ latest }: Call, destination: Destination, milliseconds: number): McpError => {
  const { method, server = destination.server ?? "", tool } = latest ?? {}
  const operation = method === undefined ? "the call" : tool === undefined ? method : `${method} ${tool}`
  return new McpError({ server, reason: new CallTimedOut({ operation, milliseconds }) })
}

/** The SDK's own timer is kept out of the way: Effect's decides, and it can be tested. */
export const SDK_TIMEOUT = 2 ** 31 - 1

const optionsOf = (
  made: Call,
  { onProgress }: CallOptions,
  timeout: number,
  signal: AbortSignal
): CallRequestOptions => ({
  ...carry(made),
  signal,
  timeout,
  cacheMode: "refresh",
  ...(onProgress === undefined ? {} : { onprogress: onProgress })
})

/** Loads what knows the SDK's errors when there is one. */
const translate = Effect.fnUntraced(function* (error: unknown, made: Call, { owner, server }: Destination) {
  if (error instanceof McpError) return yield* error
  const SdkFailure = yield* Effect.promise(() => import("../failure/SdkFailure.ts"))
  const reason = owner === undefined ? SdkFailure.ofCallback(error, made) : SdkFailure.reason(error, made, owner)
  return yield* new McpError({ server: made.latest?.server ?? server ?? "", reason })
})
