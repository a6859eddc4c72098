/** SDK v1 as runtimes use it: static headers, or a new client for each call because headers are static. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { headersOf, type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { CLIENT_INFO, type FetchLike, paramsOf, type Subject, verify } from "./Subject.ts"

/** With the headers of one session for all; default: over Node's own fetch. */
export const bare = (fetch?: FetchLike): Subject => ({
  era: "legacy",
  open: async (url) => {
    const client = await connect(url, STATIC_SESSION, fetch)
    return {
      call: async () => {
        const { content } = await client.callTool(paramsOf(STATIC_SESSION))
        verify(STATIC_SESSION, content)
      },
      close: () => client.close()
    }
  }
})

/** What people do who need other headers for each call. */
export const newPerCall: Subject = {
  era: "legacy",
  open: async (url) => ({
    call: async (session) => {
      const client = await connect(url, session)
      try {
        const { content } = await client.callTool(paramsOf(session))
        verify(session, content)
      } finally {
        await client.close()
      }
    },
    close: async () => {}
  })
}

const connect = async (url: URL, session: Session, fetch?: FetchLike): Promise<Client> => {
  const client = new Client(CLIENT_INFO)
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: headersOf(session.id) },
    ...(fetch === undefined ? {} : { fetch })
  })
  await client.connect(transport)
  return client
}
