/** An MCP server and its authorization server on one loopback port, whose metadata a test can bend. */
import type { TokenFailed } from "@letterhead/core/headers/HeaderError"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AuthorizationServer from "../../src/discovery/AuthorizationServer.ts"
import type { Challenge } from "../../src/flow/OAuthFlow.ts"
import * as OAuthFetch from "../../src/http/OAuthFetch.ts"
import * as LoopbackServer from "./LoopbackServer.ts"

/** JSON documents by path; `{origin}` in them is the server's. A path without one is 404. */
export interface Documents {
  /** Default: metadata that names the server itself. */
  readonly protectedResource?: unknown
  /** Default: {@link METADATA}. */
  readonly metadata?: unknown
  /** Of other paths; these go first. */
  readonly answering?: (
    request: LoopbackServer.Received
  ) =>
    | { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
    | undefined
}

export const METADATA = {
  issuer: "{origin}",
  authorization_endpoint: "{origin}/authorize",
  token_endpoint: "{origin}/token",
  registration_endpoint: "{origin}/register",
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"]
}

export const PROTECTED_RESOURCE = { resource: "{origin}/mcp", authorization_servers: ["{origin}"] }

export interface FaultyServer extends LoopbackServer.LoopbackServer {
  readonly serverUrl: URL
  readonly fetch: FetchLike
}

/** A document that is `null` is not there. */
export const make = (documents: Documents = {}): Effect.Effect<FaultyServer, TokenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { answering, metadata = METADATA, protectedResource = PROTECTED_RESOURCE } = documents
    const server = yield* LoopbackServer.make((request, response, origin) => {
      const special = answering?.(request)
      const document = request.path.startsWith("/.well-known/oauth-protected-resource")
        ? protectedResource
        : request.path === "/.well-known/oauth-authorization-server"
          ? metadata
          : null
      const [status, value] =
        special !== undefined ? [special.status, special.json] : document === null ? [404, {}] : [200, document]
      const text = JSON.stringify(value).replaceAll("{origin}", origin)
      const headers = JSON.stringify(special?.headers ?? {}).replaceAll("{origin}", origin)
      response.writeHead(status, { "content-type": "application/json", ...JSON.parse(headers) }).end(text)
    })
    const serverUrl = new URL(`${server.origin}/mcp`)
    return { ...server, serverUrl, fetch: yield* OAuthFetch.make({ serverUrl }) }
  })

export const discover = (server: FaultyServer, challenge?: Challenge) =>
  AuthorizationServer.discover({
    serverUrl: server.serverUrl,
    fetch: server.fetch,
    ...(challenge === undefined ? {} : { challenge })
  })
