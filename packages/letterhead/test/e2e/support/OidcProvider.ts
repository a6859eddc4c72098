/**
 * `oidc-provider` as the authorization server of a loopback MCP server, which takes its tokens alone, and none that has
 * expired.
 *
 * Registers clients, asks for a name and for consent, rotates refresh tokens and revokes.
 */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import { Provider } from "oidc-provider"
import { featuresFor, serve } from "../../../../oauth/test/support/OidcProvider.ts"

/** Seconds that an access token lives. */
const LIFETIME = 8
const SCOPE = "notes:read"

export const make = Effect.gen(function* () {
  const mcp = yield* LoopbackServer.make({ era: "modern" })
  const issuer = yield* serve((origin) => providerOf(origin, mcp.url))
  const metadata = yield* LoopbackListener.listen((_, response) => {
    const document = { resource: mcp.url, authorization_servers: [issuer.origin], scopes_supported: [SCOPE] }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document))
  })
  /** Until when each is taken, in epoch milliseconds. */
  const tokens = new Map<string, number>()
  const grants: Array<string> = []
  issuer.provider
    .on("access_token.saved", ({ jti }) => tokens.set(jti, Date.now() + LIFETIME * 1_000))
    .on("access_token.destroyed", ({ jti }) => tokens.delete(jti))
    .on("grant.success", ({ oidc }) => grants.push(String(oidc.params?.["grant_type"])))
    .on("grant.revoked", () => {
      grants.push("revoked")
      tokens.clear()
    })
  yield* mcp.demand((headers) => {
    const token = (headers.get("authorization") ?? "").replace(/^Bearer /, "")
    return Date.now() < (tokens.get(token) ?? 0)
      ? undefined
      : { status: 401, headers: { "www-authenticate": `Bearer resource_metadata="${metadata}", scope="${SCOPE}"` } }
  })
  return {
    /** Of the MCP server. */
    url: mcp.url,
    issuer: issuer.origin,
    /** What was granted for what, and `revoked`, in order. */
    grants,
    /** Whether no token that was issued so far is still good. */
    allExpired: Effect.sync(() => [...tokens.values()].every((expiry) => expiry <= Date.now()))
  }
})

const providerOf = (issuer: string, resource: string) =>
  new Provider(issuer, {
    scopes: ["openid", "offline_access", SCOPE],
    cookies: { keys: ["loopback"] },
    rotateRefreshToken: true,
    features: featuresFor(resource, { scope: SCOPE, accessTokenTTL: LIFETIME })
  })
