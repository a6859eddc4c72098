/**
 * The SDK's transport over HTTP+SSE (2024-11-05), which fails to start with the reason that `fetch` gave.
 *
 * The SDK hands `fetch` to an EventSource, which keeps no more of an error than its text.
 */
import { type FetchLike, SseError, SSEClientTransport } from "@modelcontextprotocol/client"
import { ProtocolFailed } from "./McpError.ts"
import { RequestFailure } from "./RequestFailure.ts"

export class SseTransport extends SSEClientTransport {
  readonly #reason: () => unknown

  constructor(url: URL, fetch: FetchLike) {
    let reason: unknown
    super(url, {
      fetch: async (...request) => {
        try {
          return await fetch(...request)
        } catch (error) {
          reason = error
          throw error
        }
      }
    })
    this.#reason = () => reason
  }

  /** Fails with an `SseError` where the answer is no event stream, with the reason of `fetch` where there is none. */
  override async start(): Promise<void> {
    try {
      await super.start()
    } catch (error) {
      const reason = this.#reason()
      if (reason !== undefined) throw reason
      if (error instanceof SseError) throw error
      throw new RequestFailure(new ProtocolFailed(ENDPOINT_ELSEWHERE))
    }
  }
}

const ENDPOINT_ELSEWHERE = {
  code: undefined,
  description: "the server names an endpoint for messages that is not at its own origin; nothing was sent there"
}
