/**
 * Letterhead for the tests of a runtime: every service is a mock of `@letterhead/testing`.
 *
 * Touches no file, environment, network, process or keychain. Beside the services it provides the mocks themselves,
 * which tell what they were asked.
 */
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import type { HeaderSource } from "@letterhead/core/sources/HeaderSource"
import type { McpTransport } from "@letterhead/mcp/McpTransport"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as MockHeaderResolver from "@letterhead/testing/mocks/MockHeaderResolver"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as MockHelperRunner from "@letterhead/testing/mocks/MockHelperRunner"
import * as MockMcpConfig from "@letterhead/testing/mocks/MockMcpConfig"
import * as MockMcpTransport from "@letterhead/testing/mocks/MockMcpTransport"
import * as MockSecretStore from "@letterhead/testing/mocks/MockSecretStore"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as MockTrustStore from "@letterhead/testing/mocks/MockTrustStore"
import * as Layer from "effect/Layer"
import type { Services } from "./HeaderLayer.ts"

export interface TestOptions {
  /** The servers and their tools, by name. Default: none. */
  readonly servers?: Readonly<Record<string, MockMcpTransport.MockServer>>
  /** The entries of the configuration. Default: one of the scope `user` for each of `servers`. */
  readonly entries?: ReadonlyArray<ServerEntry>
  /** What the resolver says that a call carries. Default: nothing. */
  readonly headers?: MockHeaderResolver.MockHeaders
  /** What a helper prints. Default: nothing. */
  readonly helper?: (entry: ServerEntry, run: number) => MockHelperRunner.HelperAnswer
  /** The list of sources. Default: empty. */
  readonly sources?: ReadonlyArray<HeaderSource>
  /** Whether what needs an approval has one. Default true. */
  readonly trusted?: boolean
}

/** The mocks, each of which tells what it was asked. */
export type Mocks =
  | MockHeaderResolver.MockHeaderResolver
  | MockHelperRunner.MockHelperRunner
  | MockMcpTransport.MockMcpTransport

/** The services of `Letterhead.layer`, without anything behind them. */
export const layerTest = (options: TestOptions = {}): Layer.Layer<McpTransport | Services | Mocks> => {
  const servers = options.servers ?? {}
  const trusted = options.trusted ?? true
  return Layer.mergeAll(
    MockMcpTransport.layer(servers),
    MockMcpConfig.layer(options.entries ?? Object.keys(servers).map((name) => EntryFixture.entry({ name }))),
    MockHeaderResolver.layer(options.headers ?? {}),
    MockHeaderSources.layer(options.sources ?? []),
    MockHelperRunner.layer(options.helper ?? (() => ({ headers: {} }))),
    trusted ? MockTrustGate.layerPermitAll : MockTrustGate.layerDenyAll,
    trusted ? MockTrustStore.layerApproveAll : MockTrustStore.layerDenyAll,
    MockSecretStore.layerMemory,
    Layer.succeed(Environment, {})
  )
}
