/** The official SDK's client against a test server, closed with its scope. */
import {
  Client,
  type ClientOptions,
  SSEClientTransport,
  StreamableHTTPClientTransport
} from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

const CLIENT = { name: "test", version: "1.0.0" }

/** Connects with the era negotiated; `headers` go with every request. */
export const connect = (
  url: string,
  headers: Readonly<Record<string, string>> = {},
  options: ClientOptions = {}
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(CLIENT, { versionNegotiation: { mode: "auto" }, ...options })
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** Connects over HTTP+SSE; `headers` go with the GET and with every POST. */
export const connectSse = (
  url: string,
  headers: Readonly<Record<string, string>> = {},
  options: ClientOptions = {}
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(CLIENT, options)
      await client.connect(new SSEClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** The first value that satisfies the predicate; the test's own time limit ends the wait. */
export const eventually = <A>(value: Effect.Effect<A>, predicate: (value: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(value, { schedule: Schedule.spaced("10 millis"), until: predicate })

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
