/**
 * The facts of one call: on whose behalf it is made, in which conversation, and what it asks for.
 *
 * `CurrentCall` is a `Context.Reference`, so it travels with the fiber that makes the call and never appears in an
 * effect's requirements. Sessions that run at the same time each see their own; nothing is global.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { capture, type IncomingHeaders, type IncomingRequest } from "./IncomingHeaders.ts"

/** The principal of a program that serves one person. */
export const LOCAL_PRINCIPAL = "local"

export interface CallContext {
  /** On whose behalf the call is made: one user of a runtime. `local` for a program that serves one person. */
  readonly principal: string
  /** One conversation of the principal with the runtime. Not an MCP session. */
  readonly sessionId?: string
  /** One call within the session; the transport makes one up where the runtime gave none. */
  readonly callId?: string
  /** The name of the server entry the call goes to; set by the transport. */
  readonly server?: string
  /** The JSON-RPC method, such as `tools/call`; absent on what the connection itself sends. */
  readonly method?: string
  /** The tool of a `tools/call`, the prompt of a `prompts/get`, the URI of a `resources/read`. */
  readonly tool?: string
  /** Headers of the request that the runtime is serving, as far as they were captured; see {@link fromRequest}. */
  readonly incoming?: IncomingHeaders
}

/** The context of a program that serves one person and has named no session. */
export const local: CallContext = { principal: LOCAL_PRINCIPAL }

/** The context of the call that the current fiber makes. Default: {@link local}. */
export const CurrentCall: Context.Reference<CallContext> = Context.Reference<CallContext>(
  "@letterhead/core/call/CurrentCall",
  { defaultValue: () => local }
)

/**
 * Runs `effect` with these facts added to the current call context; what is not named is kept.
 *
 * A change of principal starts from nothing: session, call and incoming headers of another principal are not kept.
 */
export const withCall = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  facts: Partial<CallContext>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentCall, (current) =>
    Effect.provideService(effect, CurrentCall, {
      ...(facts.principal === undefined || facts.principal === current.principal ? current : local),
      ...facts
    })
  )

/**
 * The incoming headers of a request, for {@link withCall}: those that `allowlist` names and no others.
 *
 * Takes a request of `effect/http`, of Node or of the Web; `call/CallMiddleware` does it for every request of a server.
 */
export const fromRequest =
  (allowlist: ReadonlyArray<string>) =>
  (request: IncomingRequest): { readonly incoming: IncomingHeaders } => ({ incoming: capture(allowlist, request) })
