/**
 * The way of OAuth's requests: the proxies and the certificate authorities that hold for the requests to MCP servers.
 *
 * `@letterhead/mcp` decides which proxy a URL has and `@letterhead/oauth` which URLs and addresses may be asked; here the
 * one is given to the other. What is connected to directly is connected to at the address that was checked.
 */
import { TokenFailed } from "@letterhead/core/headers/HeaderError"
import { Environment } from "@letterhead/core/server/Environment"
import * as Refusal from "@letterhead/mcp/failure/Refusal"
import * as HttpDispatcher from "@letterhead/mcp/http/HttpDispatcher"
import { OAuthDispatcher } from "@letterhead/oauth/http/OAuthFetch"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CertificateLayer from "./CertificateLayer.ts"

/** By the `Environment` that it is built with. */
export const layer = (options: CertificateLayer.CertificateOptions = {}): Layer.Layer<never> =>
  Layer.provide(network, CertificateLayer.layer(options))

const network = Layer.effect(
  OAuthDispatcher,
  Effect.gen(function* () {
    const environment = yield* Environment
    const authorities = yield* HttpDispatcher.CertificateAuthorities
    // Not kept where it fails: a file may be there later.
    let known: HttpDispatcher.Trust | undefined
    const trust = Effect.suspend(() =>
      known === undefined
        ? Effect.tap(HttpDispatcher.trust, (read) => Effect.sync(() => void (known = read)))
        : Effect.succeed(known)
    )
    return (lookup) =>
      Effect.flatMap(trust, (trusted) => HttpDispatcher.make({ lookup, trust: trusted })).pipe(
        Effect.map((dispatcher) => ({
          dispatcher,
          explain: (error: unknown, origin: URL) => explain(error, origin, HttpDispatcher.proxyOf(dispatcher, origin))
        })),
        Effect.mapError(({ message }) => new TokenFailed({ description: message })),
        Effect.provideService(Environment, environment),
        Effect.provideService(HttpDispatcher.CertificateAuthorities, authorities)
      )
  })
)

const explain = (error: unknown, origin: URL, proxy: string | undefined): string => {
  const reason = Refusal.unreachable(error, origin, proxy)
  return reason._tag === "ProxyFailed" ? reason.message : reason.description
}
