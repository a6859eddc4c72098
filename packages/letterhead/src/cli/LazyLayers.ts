/**
 * The services of a verb. Loading is most of what a short command takes: what needs no connection never loads the MCP
 * SDK, and what needs no sign-in nothing of OAuth.
 */
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Terminal from "effect/Terminal"
import { layer as headerLayer } from "../HeaderLayer.ts"
import type { Invocation } from "./Invocation.ts"
import { Output } from "./Output.ts"
import { Settings } from "./Settings.ts"

const options = Effect.map(Settings, ({ configFile, cwd }) => ({
  cwd,
  ...(configFile === undefined ? {} : { configFile })
}))

/** Configuration, trust, sources and the resolver. Nobody is asked to sign in. */
export const withHeaders = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(options, (chosen) => Effect.provide(effect, headerLayer(chosen)))

/** The same, with a person who signs in. */
export const withSignIn =
  (browser: boolean) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      return yield* Effect.provide(effect, headerLayer({ ...(yield* options), signIn: yield* signIn(browser) }))
    })

/** All of Letterhead. Who sits at a terminal signs in where a connection needs it. */
export const withTransport = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { layer } = yield* Effect.promise(() => import("../Letterhead.ts"))
    const { canAsk, json } = yield* Output
    const asked = canAsk && !json ? { signIn: yield* signIn(true) } : {}
    return yield* Effect.provide(effect, layer({ ...(yield* options), ...asked }))
  })

/** Loaded when somebody has to sign in. */
const signIn = (browser: boolean): Effect.Effect<Layer.Layer<SignIn>, never, Invocation | Output | Terminal.Terminal> =>
  Effect.map(Effect.context<Invocation | Output | Terminal.Terminal>(), (context) =>
    Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("./SignInLayer.ts")),
        ({ layer }) => Layer.provide(layer(browser), Layer.succeedContext(context))
      )
    )
  )
