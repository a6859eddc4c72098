/** A resolver with static headers, a helper of the test's own and OAuth, over a store; and somebody who signs in. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type CallContext, local } from "@letterhead/core/call/CallContext"
import { type ConnectionHeaders, HeaderResolver, layer as resolverLayer } from "@letterhead/core/HeaderResolver"
import { layerMemory, type SecretStore } from "@letterhead/core/secrets/SecretStore"
import { type HeaderSource } from "@letterhead/core/sources/HeaderSource"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as StaticSource from "@letterhead/core/sources/StaticSource"
import * as OAuthFlow from "@letterhead/oauth/flow/OAuthFlow"
import * as OAuthSource from "@letterhead/oauth/OAuthSource"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { consenting } from "./ConsentingPerson.ts"

const CLIENT = "test-client"

/** An entry whose client was registered beforehand. */
export const signedEntry = (url: string, options: EntryOptions = {}) =>
  entry({ url, ...options, oauth: { clientId: CLIENT, ...options.oauth } })

export interface SigningOptions {
  readonly store?: Layer.Layer<SecretStore>
  readonly signIn?: Layer.Layer<SignIn>
  /** Beside static headers and OAuth. */
  readonly sources?: ReadonlyArray<HeaderSource>
}

/** One program: what it knows ends with the layer, what is stored does not. */
export const layer = ({ signIn = consenting, sources = [], store = layerMemory }: SigningOptions = {}) => {
  const own = Layer.effect(
    HeaderSources,
    Effect.gen(function* () {
      return [yield* StaticSource.make, yield* OAuthSource.make, ...sources]
    })
  )
  return resolverLayer.pipe(
    Layer.provide(own),
    Layer.provide(OAuthFlow.layer),
    Layer.provide(signIn),
    Layer.provideMerge(store),
    Layer.provideMerge(MockTrustGate.layerPermitAll),
    Layer.provideMerge(NodeServices.layer)
  )
}

export const open = (server: ReturnType<typeof entry>, owner: CallContext = local) =>
  Effect.flatMap(HeaderResolver, (resolver) => resolver.open(server, owner))

/** Sends one request as the transport does: a refusal is answered once. Gives the status. */
export const send = (connection: ConnectionHeaders, owner: CallContext = local) =>
  Effect.gen(function* () {
    for (let challenged = false; ; challenged = true) {
      const headers = yield* connection.resolve(owner)
      const response = yield* Effect.promise(() =>
        fetch(connection.url, { method: "POST", headers: headers.reveal().map(([name, value]) => [name, value]) })
      )
      yield* Effect.promise(() => response.arrayBuffer())
      const refused = response.status === 401 || response.status === 403
      if (!refused || challenged) return response.status
      const wwwAuthenticate = response.headers.get("www-authenticate")
      const decision = yield* connection.challenge(owner, headers, {
        status: response.status,
        ...(wwwAuthenticate === null ? {} : { wwwAuthenticate })
      })
      if (decision === "give up") return response.status
    }
  })
