/**
 * An authorization server of 127.0.0.1 for the command, and the MCP server that takes its tokens and no others.
 *
 * Every token holds {@link CANARY}, so that one that is shown anywhere can be found.
 */
import { createHash } from "node:crypto"
import type { ServerResponse } from "node:http"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as SecureServer from "../../../../mcp/test/support/SecureServer.ts"

/** A part of each token, code and client secret. */
export const CANARY = "canary-of-a-token-3d71"

export interface Behaviour {
  /** Seconds. Default 3,600. */
  readonly expiresIn?: number
  /** Whether there are refresh tokens, of which each is taken once. Default true. */
  readonly refreshes?: boolean
  /** Whether it has device authorization; somebody entered the code already. Default false. */
  readonly device?: boolean
  /** The one client, which gets tokens for itself by this secret; none by default. */
  readonly clientSecret?: string
  /** The answer to a revocation; none where there is no such endpoint. Default 200. */
  readonly revocation?: number | undefined
  /** What the token endpoint waits for before it grants anything. Default: nothing. */
  readonly beforeGrant?: (kind: string) => Promise<void>
  /** Whether both servers speak TLS, with a certificate that an authority of the tests vouches for. Default false. */
  readonly secure?: boolean
}

export const make = Effect.fnUntraced(function* (behaviour: Behaviour = {}) {
  const { clientSecret, device = false, expiresIn = 3_600, refreshes = true, secure = false } = behaviour
  const revocation = "revocation" in behaviour ? behaviour.revocation : 200
  const mcp = yield* LoopbackServer.make({ era: "modern" })
  const mcpUrl = secure ? mcp.url.replace(new URL(mcp.url).origin, yield* SecureServer.before(mcp.url)) : mcp.url
  const challenges = new Map<string, string>()
  const refreshTokens = new Set<string>()
  const accessTokens = new Set<string>()
  const revoked: Array<string> = []
  const grants: Array<string> = []
  const asked: Array<string> = []
  let next = 0

  const issue = () => {
    const access = jwtOf({ sub: "ada", aud: mcpUrl, exp: 4_102_444_800, jti: String((next += 1)) })
    const refresh = `${CANARY}-refresh-${next}`
    accessTokens.add(access)
    refreshTokens.add(refresh)
    return {
      access_token: access,
      token_type: "Bearer",
      expires_in: expiresIn,
      scope: "notes:read",
      ...(refreshes ? { refresh_token: refresh } : {})
    }
  }

  const granted = (body: URLSearchParams, authorization: string) => {
    const kind = body.get("grant_type") ?? ""
    grants.push(kind)
    if (kind === "client_credentials") {
      const proof = Buffer.from(`workload:${clientSecret}`).toString("base64")
      return clientSecret !== undefined && authorization === `Basic ${proof}` ? issue() : undefined
    }
    if (kind === "refresh_token") return refreshTokens.delete(body.get("refresh_token") ?? "") ? issue() : undefined
    if (kind !== "authorization_code") return device ? issue() : undefined
    const digest = createHash("sha256")
      .update(body.get("code_verifier") ?? "")
      .digest("base64url")
    return challenges.get(body.get("code") ?? "") === digest ? issue() : undefined
  }

  const answer = async (url: URL, body: string, authorization: string, response: ServerResponse): Promise<void> => {
    const { origin } = url
    asked.push(url.pathname)
    switch (url.pathname) {
      case "/resource":
        return json(response, 200, { resource: mcpUrl, authorization_servers: [origin] })
      case "/.well-known/oauth-authorization-server":
        return json(response, 200, {
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          ...(device ? { device_authorization_endpoint: `${origin}/device` } : {}),
          ...(revocation === undefined ? {} : { revocation_endpoint: `${origin}/revoke` }),
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: [clientSecret === undefined ? "none" : "client_secret_basic"]
        })
      case "/register": {
        const asked: unknown = JSON.parse(body)
        return json(response, 201, { ...(typeof asked === "object" ? asked : {}), client_id: "client-1" })
      }
      case "/authorize": {
        const code = `${CANARY}-code-${(next += 1)}`
        challenges.set(code, url.searchParams.get("code_challenge") ?? "")
        const back = new URL(url.searchParams.get("redirect_uri") ?? "")
        back.search = new URLSearchParams({ code, state: url.searchParams.get("state") ?? "" }).toString()
        return void response.writeHead(302, { location: back.href }).end()
      }
      case "/device":
        return json(response, 200, {
          device_code: `${CANARY}-device`,
          user_code: "WDJB-MJHT",
          verification_uri: `${origin}/enter`,
          expires_in: 600,
          interval: 1
        })
      case "/token": {
        const parameters = new URLSearchParams(body)
        await behaviour.beforeGrant?.(parameters.get("grant_type") ?? "")
        const tokens = granted(parameters, authorization)
        const error = clientSecret === undefined ? "invalid_grant" : "invalid_client"
        return json(response, tokens === undefined ? 400 : 200, tokens ?? { error })
      }
      case "/revoke":
        revoked.push(new URLSearchParams(body).get("token_type_hint") ?? "")
        return void response.writeHead(revocation ?? 404).end()
      default:
        return void response.writeHead(404).end()
    }
  }

  const listening = yield* Scope.fork(yield* Effect.scope)
  const plain = yield* LoopbackListener.listen((request, response, body) =>
    answer(
      new URL(request.url ?? "", `${secure ? "https" : "http"}://${request.headers.host}`),
      body,
      request.headers.authorization ?? "",
      response
    )
  ).pipe(Scope.provide(listening))
  const origin = secure ? yield* SecureServer.before(plain) : plain
  yield* mcp.demand((headers) =>
    accessTokens.has((headers.get("authorization") ?? "").replace(/^Bearer /, ""))
      ? undefined
      : { status: 401, headers: { "www-authenticate": `Bearer resource_metadata="${origin}/resource"` } }
  )
  return {
    /** Of the MCP server. */
    url: mcpUrl,
    origin,
    requests: mcp.requests,
    /** Tokens as a sign-in by somebody else would have them. */
    issue: Effect.sync(issue),
    /** No access token is taken any more. */
    expire: Effect.sync(() => accessTokens.clear()),
    /** The paths of the authorization server that were asked for, in order. */
    asked,
    /** The grants that were asked for, in order. */
    grants,
    /** The kinds of tokens that were revoked, in order. */
    revoked,
    /** The authorization server is not there any more. */
    stop: Scope.close(listening, Exit.void)
  }
})

const jwtOf = (claims: object): string =>
  [{ alg: "none", typ: "at+jwt" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .concat(CANARY)
    .join(".")

const json = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
