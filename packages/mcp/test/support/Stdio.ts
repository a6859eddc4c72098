/** Programs as processes, with a gate that permits everything and an environment of the test's choosing. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Environment } from "@letterhead/core/server/Environment"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as StdioProcesses from "@letterhead/mcp/stdio/StdioProcesses"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import type { StdioServerFixture } from "@letterhead/testing/StdioServerFixture"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

export interface ServiceOptions {
  readonly gate?: Layer.Layer<TrustGate>
  readonly environment?: Environment
}

/** Permits everything. */
const permitting: Layer.Layer<TrustGate> = Layer.succeed(TrustGate, {
  require: () => Effect.succeed({ passEnv: [], verify: Effect.void })
})

export const programs = (options: ServiceOptions = {}) =>
  StdioProcesses.layer.pipe(
    Layer.provideMerge(options.gate ?? permitting),
    Layer.provideMerge(Layer.succeed(Environment, { PATH: process.env["PATH"], ...options.environment })),
    Layer.provideMerge(NodeServices.layer)
  )

/** The entry of a fixture. */
export const entryOf = (
  fixture: StdioServerFixture,
  options: Omit<EntryFixture.EntryOptions, "stdio"> & { readonly env?: Readonly<Record<string, string>> } = {}
) => {
  const { env, ...rest } = options
  return EntryFixture.entry({
    directory: fixture.directory,
    stdio: { command: fixture.command, args: fixture.args, ...(env === undefined ? {} : { env }) },
    ...rest
  })
}

/** Everything that is logged at any level while `effect` runs, as text; into `lines`, for who waits for it. */
export const logged = <A, E, R>(effect: Effect.Effect<A, E, R>, lines: Array<string> = []) => {
  const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    const reasons = cause.reasons.length === 0 ? "" : Cause.pretty(cause)
    lines.push([logLevel, ...[message].flat().map(String), reasons].join(" "))
  })
  return effect.pipe(
    Effect.map((value) => ({ value, lines })),
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "All")
  )
}
