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
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Layer from "effect/Layer"
import * as CertificateLayer from "./CertificateLayer.ts"
import * as HeaderLayer from "./HeaderLayer.ts"
import * as ProgramLayer from "./ProgramLayer.ts"

export type Options = HeaderLayer.Options

/** Everything: connections, and all that they stand on. */
export const layer = (
  options: Options = {}
): Layer.Layer<McpTransport.McpTransport | HeaderLayer.Services, ConfigError> =>
  McpTransport.layer.pipe(
    Layer.provide(CertificateLayer.layer(options)),
    Layer.provide(ProgramLayer.layer),
    Layer.provideMerge(HeaderLayer.layer(options))
  )

/** The same services without anything behind them, for the tests of a runtime. */
export { layerTest, type TestOptions } from "./LetterheadTest.ts"
