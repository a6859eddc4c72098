/** The official SDK's client against a test server, closed with its scope. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Connects with the era negotiated; `headers` go with every request. */
export const connect = (
  url: string,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** The text of a tool's answer. */
export const callTool = (
  client: Client,
  name: string,
  args: Readonly<Record<string, unknown>> = {}
): Effect.Effect<string> =>
  Effect.promise(async () => {
    const { content } = await client.callTool({ name, arguments: args })
    const first = content[0]
    return first?.type === "text" ? first.text : ""
  })
