/** A server over HTTP+SSE, and a connection to it. */
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Harness from "./Harness.ts"

export interface Options extends LoopbackSseServer.LoopbackSseServerOptions {
  readonly type?: "http" | "sse" | "auto"
  readonly resolver?: Harness.HarnessOptions["resolver"]
  readonly limits?: Harness.HarnessOptions["limits"]
  readonly connectTimeout?: number
}

/** A server over HTTP+SSE, and a connection to it as `ada`. */
export const make = Effect.fnUntraced(function* ({
  type = "sse",
  resolver,
  limits,
  connectTimeout,
  ...options
}: Options = {}) {
  const server = yield* LoopbackSseServer.make(options)
  const harness = yield* Harness.make({
    era: "modern",
    ...(resolver === undefined ? {} : { resolver }),
    ...(limits === undefined ? {} : { limits })
  })
  const entry = EntryFixture.entry({
    url: server.url,
    transport: type,
    ...(connectTimeout === undefined ? {} : { connectTimeout })
  })
  const connect = harness.transport.connect(entry, { principal: "ada" })
  const nothingHeld = Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
  /** The service, for whoever connects to `example`. */
  const service: typeof harness.transport = {
    ...harness.transport,
    transport: (_name, owner) => harness.transport.transport(entry, owner)
  }
  return { server, resolver: harness.resolver, connect, service, nothingHeld }
})

export const isGet = (request: RecordedRequest) => request.httpMethod === "GET"

export const waysOf = (requests: ReadonlyArray<RecordedRequest>) =>
  requests.map(({ httpMethod, rpcMethod }) => rpcMethod ?? httpMethod)
