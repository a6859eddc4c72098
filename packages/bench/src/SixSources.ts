/**
 * Letterhead as a runtime wires it, with a header of each kind of source on every call.
 *
 * The resolver, the sources and the transport are the real ones. The helper, the secret store and the approval are
 * mocks that answer at once: they are asked when a connection opens and never during a call. The oauth source would stand
 * back for the helper's Authorization; in its place stands one of its rank whose answer is at hand, as a token that has
 * not expired is.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import type { CallContext } from "@letterhead/core/call/CallContext"
import { capture } from "@letterhead/core/call/IncomingHeaders"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import * as HeaderResolver from "@letterhead/core/HeaderResolver"
import type { HelperOutput } from "@letterhead/core/helper/HelperOutput"
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type CallHook, CallHooks } from "@letterhead/core/sources/CallHooks"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as HeaderSources from "@letterhead/core/sources/HeaderSources"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as StdioPrograms from "@letterhead/mcp/stdio/StdioPrograms"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as MockMcpConfig from "@letterhead/testing/mocks/MockMcpConfig"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { CREDENTIAL_VALUE, HELPER_VALUE, OAUTH_VALUE, type Session, STATIC_VALUE, traceOf } from "./BenchHeaders.ts"

const entries = new Map<string, ServerEntry>()

/** The entry of a server, read once. */
export const entryOf = (url: URL): ServerEntry => {
  const known = entries.get(url.href)
  if (known !== undefined) return known
  const made = makeEntry(url)
  entries.set(url.href, made)
  return made
}

/** With something for every source. */
const makeEntry = (url: URL): ServerEntry =>
  EntryFixture.entry({
    name: `bench${url.port}${url.pathname.replaceAll("/", "-")}`,
    url: url.href,
    headers: { "X-Static": STATIC_VALUE },
    credentials: [{ name: "KEY", headerName: "X-Credential", required: true }],
    helper: { command: ["print-headers"] },
    passthrough: [{ name: "X-Trace" }],
    auth: "auto"
  })

/** The context of the calls of a session, made once, as a runtime makes it when the session begins. */
export const contextOf = ({ id }: Session): CallContext => ({
  principal: "local",
  sessionId: id,
  incoming: capture(["X-Trace"], { rawHeaders: ["X-Trace", traceOf(id)] })
})

const sessionHook: CallHook = {
  name: "session",
  run: ({ sessionID }) => Effect.succeed({ "X-Session": sessionID })
}

const tokenPatch: HeaderPatch.HeaderPatch = {
  ...HeaderPatch.empty("oauth", Rank.oauth),
  set: [Result.getOrThrow(HeaderPatch.setField("X-Assertion", OAUTH_VALUE, "a token", { file: "bench" }))]
}

const tokenSource: HeaderSource = {
  id: "oauth",
  rank: Rank.oauth,
  lifetime: "call",
  resolve: () => Effect.succeed(tokenPatch)
}

const stored = Redacted.make(CREDENTIAL_VALUE)
const printed: HelperOutput = { headers: [["Authorization", Redacted.make(HELPER_VALUE)]], expired: false }

/** The resolver over the six sources. */
export const resolver = HeaderResolver.layer.pipe(
  Layer.provide(HeaderSources.layerWith([tokenSource])),
  Layer.provide(Layer.succeed(CallHooks, [sessionHook])),
  Layer.provide(Layer.succeed(HelperRunner, { run: () => Effect.succeed(printed) })),
  Layer.provide(Layer.mock(SecretStore, { get: () => Effect.succeedSome(stored) })),
  Layer.provide(MockTrustGate.layerPermitAll),
  Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
)

/** The transport over the six sources. */
export const layer: Layer.Layer<McpTransport.McpTransport> = McpTransport.layer.pipe(
  Layer.provide(Layer.mergeAll(resolver, MockMcpConfig.layer([]), StdioPrograms.layerDenyAll))
)
