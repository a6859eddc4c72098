/** SDK v2 as runtimes use it: with static headers. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { headersOf, STATIC_SESSION } from "./BenchHeaders.ts"
import { CLIENT_INFO, type Era, type FetchLike, paramsOf, type Subject, verify } from "./Subject.ts"

/** A client that is told which era to expect, by somebody who knows the server. */
export const clientOf = (era: Era): Client =>
  new Client(CLIENT_INFO, { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } })

/** With the headers of one session for all; default: over Node's own fetch. */
export const bare = (era: Era, fetch?: FetchLike): Subject => ({
  era,
  open: async (url) => {
    const client = clientOf(era)
    const transport = new StreamableHTTPClientTransport(url, {
      requestInit: { headers: headersOf(STATIC_SESSION.id) },
      ...(fetch === undefined ? {} : { fetch })
    })
    await client.connect(transport)
    return {
      call: async () => {
        const { content } = await client.callTool(paramsOf(STATIC_SESSION))
        verify(STATIC_SESSION, content)
      },
      close: () => client.close()
    }
  }
})
