/** How a client began its session, to begin another one as it did. */
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, Transport } from "@modelcontextprotocol/client"
import type { Call } from "../call/Call.ts"
import type { CallCorrelation, RequestId } from "../call/CallCorrelation.ts"
import { ProtocolFailed } from "../McpError.ts"
import { isAnswer, isResult } from "../message/MessageKind.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

export class SessionHandshake {
  readonly #correlation: CallCorrelation
  readonly #owner: Call
  /** Who waits for the answer to an `initialize` that was repeated. */
  #answers: Map<RequestId, (message: JSONRPCMessage) => void> | undefined
  #initialize: JSONRPCRequest | undefined
  #initialized: JSONRPCNotification | undefined
  #repeated = 0

  constructor(correlation: CallCorrelation, owner: Call) {
    this.#correlation = correlation
    this.#owner = owner
  }

  /** Whether the client has a session that can be begun anew. */
  get isComplete(): boolean {
    return this.#initialized !== undefined
  }

  beginWith(initialize: JSONRPCRequest): void {
    this.#initialize = initialize
  }

  completeWith(initialized: JSONRPCNotification): void {
    this.#initialized = initialized
  }

  /** Takes an answer that is not the client's; whether it did. */
  take(message: JSONRPCMessage): boolean {
    const waiting = isAnswer(message) && message.id !== undefined ? this.#answers?.get(message.id) : undefined
    waiting?.(message)
    return waiting !== undefined
  }

  /** Starts a transport and begins a session on it. */
  async repeat(transport: Transport, signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    const id = `letterhead-renewal-${++this.#repeated}`
    this.#correlation.open(id, this.#owner)
    try {
      await Promise.race([aborted, transport.start()])
      if (this.#initialize === undefined) throw new RequestFailure(REFUSED)
      const answered = new Promise<JSONRPCMessage>((resolve) => (this.#answers ??= new Map()).set(id, resolve))
      await transport.send({ ...this.#initialize, id }, { requestSignal: signal })
      const answer = await Promise.race([aborted, answered])
      if (!isResult(answer)) throw new RequestFailure(REFUSED)
      const version = answer.result["protocolVersion"]
      if (typeof version === "string") transport.setProtocolVersion?.(version)
      if (this.#initialized !== undefined) await transport.send(this.#initialized, { requestSignal: signal })
    } finally {
      this.#answers?.delete(id)
      this.#correlation.close(id)
    }
  }
}

const REFUSED = new ProtocolFailed({
  code: undefined,
  description: "the server forgot the session and refuses a new one"
})
