/**
 * What a server asks of its client, answered by the handlers of the runtime; see `ClientFeatures` for whose.
 *
 * A modern server asks within the answer to a call. The SDK hands a handler no more of that answer than the object
 * `_meta` of a question, so that object is what a question's call is found by.
 */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import {
  type Client,
  type ClientCapabilities,
  type ClientContext,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  ProtocolError,
  ProtocolErrorCode
} from "@modelcontextprotocol/client"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Call } from "../call/Call.ts"
import { ClientFeatures, type FeatureRefused } from "../ClientFeatures.ts"

/** What is announced to servers: what there is a handler for. */
export const capabilitiesOf = ({ elicitation, roots, sampling }: ClientFeatures): ClientCapabilities => ({
  ...(elicitation === undefined ? {} : { elicitation: { form: { applyDefaults: true }, url: {} } }),
  ...(sampling === undefined ? {} : { sampling: {} }),
  ...(roots === undefined ? {} : { roots: {} })
})

/** The calls that questions of modern servers belong to. */
export class Questions {
  readonly #calls = new WeakMap<object, Call>()

  /** Looks for questions in the answer to a request of a call. */
  readonly note = (call: Call, message: JSONRPCMessage): void => {
    if (!isJSONRPCResultResponse(message) || message.result["resultType"] !== "input_required") return
    const { inputRequests } = message.result
    if (!isRecord(inputRequests)) return
    for (const question of Object.values(inputRequests)) {
      if (!isRecord(question)) continue
      const params = (question["params"] ??= {})
      if (!isRecord(params)) continue
      const meta = (params["_meta"] ??= {})
      if (isRecord(meta)) this.#calls.set(meta, call)
    }
  }

  callOf({ mcpReq }: ClientContext): Call | undefined {
    return mcpReq._meta === undefined ? undefined : this.#calls.get(mcpReq._meta)
  }
}

/** Has the handlers answer what servers ask. */
export const answer = (client: Client, features: ClientFeatures, questions: Questions, owner: Call): void => {
  const run = async <A>(
    context: ClientContext,
    handle: (features: ClientFeatures) => Effect.Effect<A, FeatureRefused> | undefined
  ): Promise<A> => {
    const call = questions.callOf(context) ?? owner
    const effect = handle(call.service(ClientFeatures)) ?? handle(features)
    if (effect === undefined) throw new ProtocolError(ProtocolErrorCode.MethodNotFound, "there is no handler for it")
    const exit = await Effect.runPromiseExitWith(call.services)(
      Effect.provideService(effect, CurrentCall, call.context),
      { signal: context.mcpReq.signal }
    )
    if (Exit.isSuccess(exit)) return exit.value
    const refused = Cause.findErrorOption(exit.cause)
    if (Option.isSome(refused)) throw new ProtocolError(REFUSED, refused.value.message)
    throw new ProtocolError(ProtocolErrorCode.InternalError, "the handler of the client broke off")
  }
  if (features.elicitation !== undefined) {
    client.setRequestHandler("elicitation/create", ({ params }, context) =>
      run(context, ({ elicitation }) => elicitation?.(params))
    )
  }
  if (features.sampling !== undefined) {
    client.setRequestHandler("sampling/createMessage", ({ params }, context) =>
      run(context, ({ sampling }) => sampling?.(params))
    )
  }
  if (features.roots !== undefined) {
    client.setRequestHandler("roots/list", async (_request, context) => ({
      roots: [...(await run(context, ({ roots }) => roots))]
    }))
  }
}

/** The code that the specification has for a user who does not want it (2025-11-25 client/sampling, Error Handling). */
const REFUSED = -1

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
