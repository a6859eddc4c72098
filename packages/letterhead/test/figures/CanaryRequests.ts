/** Requests with a secret in every place from which one can come, and the ways in which a runtime can send them. */
import { assert } from "@effect/vitest"
import { type CallContext, withCall } from "@letterhead/core/call/CallContext"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StreamableHTTPClientTransport as OlderTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as Clients from "../../../mcp/test/support/Clients.ts"
import {
  ADDED,
  CALL,
  HEADER,
  INCOMING,
  IN_FILE,
  IN_URL,
  PASSWORD,
  PRINTED,
  QUOTED,
  STORED,
  THROWN,
  VARIABLE,
  type Scene
} from "./Canary.ts"
import { attempt } from "./Evidence.ts"

/** A call with an incoming header. */
export const CARRYING: CallContext = { ...CALL, incoming: [{ name: "x-incoming", value: Redacted.make(INCOMING) }] }

const PASSWORD_SENT = Buffer.from(`ada:${PASSWORD}`).toString("base64")

/** By the name of the field in which it is sent; each is the whole value. */
const SENT: Readonly<Record<string, string>> = {
  authorization: `Bearer ${PRINTED}`,
  "x-password": `Basic ${PASSWORD_SENT}`,
  "x-static": HEADER,
  "x-quoted": QUOTED,
  "x-variable": VARIABLE,
  "x-file": IN_FILE,
  "x-api-key": STORED,
  "x-incoming": INCOMING,
  "x-hook": THROWN
}

/** An entry all of whose sources supply a secret, one of them in the query of its URL. */
export const carrier = ({ folder, writeOnce }: Scene, url: string, more: EntryOptions = {}) => {
  const printed = JSON.stringify({ Authorization: SENT["authorization"], "X-Password": SENT["x-password"] })
  writeOnce("secret.txt", IN_FILE)
  const hook = `export default { "mcp.call.before": async (input, output) => { output.headers["X-Hook"] = "${THROWN}" } }`
  return entry({
    directory: folder,
    url: `${url}?key=${IN_URL}`,
    headers: {
      "X-Static": HEADER,
      "X-Quoted": QUOTED,
      "X-Variable": "${SECRET}",
      "X-File": `{file:${folder}/secret.txt}`
    },
    helper: {
      command: [writeOnce("carrier.sh", `#!/bin/sh\necho 'using ${PRINTED}' >&2\necho '${printed}'\n`, 0o755)],
      environment: { API_TOKEN: ADDED }
    },
    credentials: [{ name: "API_KEY", headerName: "X-Api-Key", sensitive: true }],
    passthrough: [{ name: "x-incoming" }],
    hooks: [writeOnce("hook.mjs", hook)],
    connectTimeout: 5_000,
    ...more
  })
}

/** Stores the credential that {@link carrier} asks for. */
export const storeCredential = Effect.fnUntraced(function* (url: string, principal = "local") {
  const key = { principal, origin: new URL(url).origin, server: "example", field: "API_KEY" }
  yield* (yield* SecretStore.SecretStore).set(key, Redacted.make(STORED))
})

/** A request came with all that it was to carry, so that not finding it elsewhere means something. */
export const expectCarried = (request: RecordedRequest | undefined, what: string): void => {
  // A hook is asked about calls alone.
  const names = Object.keys(SENT).filter((name) => name !== "x-hook" || request?.rpcMethod === "tools/call")
  for (const name of names) assert.strictEqual(request?.headers.get(name), SENT[name], `${name} of ${what}`)
  assert.include(request?.path, IN_URL, what)
}

/** What a careless server says: all that it was sent, as it came and as JSON and URLs write it. */
export const repeating = ({ headers, path }: RecordedRequest): string => {
  const values = [path, ...Object.keys(SENT).flatMap((name) => headers.get(name) ?? [])]
  return [JSON.stringify(values), ...values, ...values.map(encodeURIComponent), PASSWORD].join(" ; ")
}

/** A way to reach a server: what connects, which then makes one call. */
export interface Face {
  readonly name: string
  /** Whether it waits for an answer of MCP, so that anything else fails. */
  readonly waits: boolean
  readonly open: (
    service: McpTransport.McpTransport["Service"],
    url: string
  ) => Effect.Effect<Effect.Effect<unknown, unknown>, unknown, Scope.Scope>
}

/** Milliseconds for a call that is not answered. */
const PATIENCE = 400

const ofConnection: Face = {
  name: "connect",
  waits: true,
  open: (service) =>
    Effect.map(service.connect("example", CARRYING), (connection) =>
      withCall(connection.callTool("echo", {}, { timeout: PATIENCE }), CARRYING)
    )
}

/** The client's own errors, those besides the ones of its requests too. */
const ofClient = (kind: Clients.ClientKind): Face => ({
  name: kind,
  waits: true,
  open: (service) =>
    Effect.map(Clients.connect(kind, service, CARRYING), (client) =>
      Effect.flatMap(
        Effect.promise(() =>
          client.callTool("echo", {}, McpTransport.requestOptions(CARRYING, { timeout: PATIENCE })).then(
            () => client.errors,
            (error: unknown) => [error, ...client.errors]
          )
        ),
        (errors) =>
          errors.length === 0
            ? Effect.void
            : Effect.failCause(Cause.fromReasons(errors.map((error) => Cause.makeFailReason(error))))
      )
    )
})

const ofCall: Face = {
  name: "call",
  waits: true,
  open: (service) =>
    Effect.map(Clients.connect("SDK 2", service, CARRYING), (client) =>
      withCall(
        McpTransport.call((request) => client.callTool("echo", {}, request), { timeout: PATIENCE }),
        CARRYING
      )
    )
}

const BODY = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: {} } })

/** The transports of both SDKs over our fetch, sent one message. */
const ofFetch = (kind: Clients.ClientKind): Face => ({
  name: `fetch, ${kind}`,
  waits: false,
  open: Effect.fnUntraced(function* (service, url) {
    const fetch = yield* service.fetch("example", CARRYING)
    yield* attempt(() => fetch(new URL(`${url}?key=${IN_URL}`)))
    const errors: Array<unknown> = []
    const send = async (): Promise<void> => {
      const patient: typeof fetch = (input, init) =>
        fetch(input, {
          ...init,
          signal: AbortSignal.any([AbortSignal.timeout(PATIENCE), ...(init?.signal ? [init.signal] : [])])
        })
      const options = { fetch: patient }
      const target = new URL(`${url}?key=${IN_URL}`)
      const transport =
        kind === "SDK 1" ? new OlderTransport(target, options) : new StreamableHTTPClientTransport(target, options)
      Object.assign(transport, { onerror: (error: unknown) => void errors.push(error) })
      await transport.start()
      await transport.send(JSON.parse(BODY))
      await transport.close()
    }
    return attempt(send).pipe(
      Effect.catch((error) =>
        Effect.failCause(Cause.fromReasons([error, ...errors].map((each) => Cause.makeFailReason(each))))
      )
    )
  })
})

const ofHttpClient: Face = {
  name: "httpClient",
  waits: false,
  open: (service, url) =>
    Effect.map(
      Effect.tap(service.httpClient("example", CARRYING), (client) => client.get(`${url}?key=${IN_URL}`)),
      (client) =>
        HttpClientRequest.post(url).pipe(
          HttpClientRequest.setUrlParam("key", IN_URL),
          HttpClientRequest.bodyText(BODY, "application/json"),
          client.execute,
          Effect.flatMap((response) =>
            response.status < 400 ? Effect.asVoid(response.json) : Effect.flatMap(response.text, Effect.fail)
          ),
          Effect.timeout(PATIENCE),
          (sending) => withCall(sending, CARRYING),
          Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
        )
    )
}

/** All of them. */
export const FACES: ReadonlyArray<Face> = [
  ofConnection,
  ofClient("SDK 1"),
  ofClient("SDK 2"),
  ofCall,
  ofFetch("SDK 1"),
  ofFetch("SDK 2"),
  ofHttpClient
]
