/** The official SDKs as runtimes use them: static headers, or a new client for each call because headers are static. */
import {
  Client as CurrentClient,
  StreamableHTTPClientTransport as CurrentTransport
} from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as OlderTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { headersOf, type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { NEW_PER_CALL } from "./Names.ts"
import { type Connection, type Era, type Subject, verify } from "./Subject.ts"

type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>

export const CLIENT_INFO = { name: "bench", version: "0.0.0" } as const

/** The parameters of the one call that is measured. */
export const paramsOf = (session: Session) => ({ name: "echo", arguments: { session: session.id } })

/** How a client of SDK v2 is told which era to expect, as somebody who knows the server would. */
export const negotiation = (era: Era) =>
  era === "legacy" ? { versionNegotiation: { mode: "legacy" as const } } : MODERN_NEGOTIATION

const MODERN_NEGOTIATION = { versionNegotiation: { mode: { pin: "2026-07-28" } } } as const

const transportOptions = (session: Session, fetch: FetchLike | undefined) => ({
  requestInit: { headers: headersOf(session.id) },
  ...(fetch === undefined ? {} : { fetch })
})

const openOlder = async (url: URL, session: Session, fetch?: FetchLike) => {
  const client = new OlderClient(CLIENT_INFO)
  await client.connect(new OlderTransport(url, transportOptions(session, fetch)))
  return client
}

const openCurrent = async (url: URL, era: Era, fetch?: FetchLike): Promise<Connection> => {
  const client = new CurrentClient(CLIENT_INFO, negotiation(era))
  await client.connect(new CurrentTransport(url, transportOptions(STATIC_SESSION, fetch)))
  return {
    call: async () => verify(STATIC_SESSION, (await client.callTool(paramsOf(STATIC_SESSION))).content),
    close: () => client.close()
  }
}

/** SDK v1 with the headers of one session for all. */
export const older = (name: string, fetch?: FetchLike): Subject => ({
  name,
  era: "legacy",
  open: async (url) => {
    const client = await openOlder(url, STATIC_SESSION, fetch)
    return {
      call: async () => verify(STATIC_SESSION, contentOf(await client.callTool(paramsOf(STATIC_SESSION)))),
      close: () => client.close()
    }
  }
})

/** SDK v2 with the headers of one session for all. */
export const current = (name: string, era: Era, fetch?: FetchLike): Subject => ({
  name,
  era,
  open: (url) => openCurrent(url, era, fetch)
})

/** What people do who need other headers for each call. */
export const newPerCall: Subject = {
  name: NEW_PER_CALL,
  era: "legacy",
  open: async (url) => ({
    call: async (session) => {
      const client = await openOlder(url, session)
      try {
        verify(session, contentOf(await client.callTool(paramsOf(session))))
      } finally {
        await client.close()
      }
    },
    close: async () => {}
  })
}

/** The content of a result of SDK v1, whose type has an older form beside it. */
export const contentOf = (result: Readonly<Record<string, unknown>>): ReadonlyArray<object> | undefined =>
  Array.isArray(result["content"]) ? result["content"] : undefined
