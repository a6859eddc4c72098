/**
 * The services of a verb. Loading is most of what a short command takes: what needs no connection never loads the MCP
 * SDK.
 */
import * as Effect from "effect/Effect"
import { layer as headerLayer } from "../HeaderLayer.ts"
import { Settings } from "./Settings.ts"

const options = Effect.map(Settings, ({ configFile, cwd }) => ({
  cwd,
  ...(configFile === undefined ? {} : { configFile })
}))

/** Configuration, trust, sources and the resolver. */
export const withHeaders = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(options, (chosen) => Effect.provide(effect, headerLayer(chosen)))

/** All of Letterhead. */
export const withTransport = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { layer } = yield* Effect.promise(() => import("../Letterhead.ts"))
    return yield* Effect.provide(effect, layer(yield* options))
  })
