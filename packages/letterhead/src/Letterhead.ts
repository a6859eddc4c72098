/**
 * Letterhead, wired for Node: what an agent runtime provides once, at its edge.
 *
 * Limits, single flight and connections hold per built layer, so build it once: in a `ManagedRuntime`, or by one
 * `Effect.provide` around the program.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const connection = yield* (yield* McpTransport).connect("linear")
 *   return yield* withCall(connection.callTool("list_issues"), { sessionId: "s-1" })
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Letterhead.layer())))
 * ```
 */
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import { CertificateAuthorities } from "@letterhead/mcp/http/HttpDispatcher"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Layer from "effect/Layer"
import * as HeaderLayer from "./HeaderLayer.ts"
import * as ProgramLayer from "./ProgramLayer.ts"

export interface Options extends HeaderLayer.Options {
  /** Certificates of further authorities that servers and proxies may have: PEM text, or the absolute path of a file. */
  readonly certificateAuthorities?: string
}

/** Everything: connections, and all that they stand on. */
export const layer = (
  options: Options = {}
): Layer.Layer<McpTransport.McpTransport | HeaderLayer.Services, ConfigError> =>
  McpTransport.layer.pipe(
    Layer.provide(authorities(options)),
    Layer.provide(ProgramLayer.layer),
    Layer.provideMerge(HeaderLayer.layer(options))
  )

const authorities = ({ certificateAuthorities }: Options) =>
  certificateAuthorities === undefined ? Layer.empty : Layer.succeed(CertificateAuthorities, certificateAuthorities)

/** The same services without anything behind them, for the tests of a runtime. */
export { layerTest, type TestOptions } from "./LetterheadTest.ts"
