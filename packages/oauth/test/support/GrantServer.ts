/**
 * An authorization server that gives tokens for which nobody signs in, the identity provider that it trusts, and the MCP
 * endpoint that it guards, in one program of 127.0.0.1.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as LoopbackServer from "./LoopbackServer.ts"

/** A part of each secret and token. */
export const CANARY = "canary-of-a-grant-81c4"

export interface Settings {
  /** Seconds. Default 3,600; `undefined` is not said. */
  expiresIn: number | undefined
  /** In place of a token, at the token endpoint. */
  refusal: { readonly status: number; readonly body: object } | undefined
  /** What the MCP endpoint asks for with 403. */
  scope: string | undefined
  /** What is granted; default what is asked for. */
  granted: string | undefined
  /** Whether token requests wait for {@link GrantServer.release}. */
  holds: boolean
  /** In place of the own. */
  issuer: string | undefined
  /** Whether anybody may begin a session, for which no token is asked. */
  open: boolean
  /** Whether each token is refused at the MCP endpoint. */
  refusesAll: boolean
}

export interface GrantServer {
  readonly origin: string
  /** Of the MCP endpoint. */
  readonly url: string
  readonly settings: Settings
  /** The token requests, in order. */
  readonly asked: Array<URLSearchParams>
  /** The requests to the identity provider. */
  readonly exchanged: Array<URLSearchParams>
  /** The values of `Authorization` at the MCP endpoint. */
  readonly seen: Array<string>
  readonly received: ReadonlyArray<LoopbackServer.Received>
  /** No token that was given by now is taken any more. */
  readonly expire: () => void
  /** Answers the requests that wait. */
  readonly release: () => void
}

export const make = (initial: Partial<Settings> = {}): Effect.Effect<GrantServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const settings: Settings = {
      expiresIn: 3_600,
      refusal: undefined,
      scope: undefined,
      granted: undefined,
      holds: false,
      issuer: undefined,
      open: false,
      refusesAll: false,
      ...initial
    }
    const asked: Array<URLSearchParams> = []
    const exchanged: Array<URLSearchParams> = []
    const seen: Array<string> = []
    const tokens = new Map<string, string>()
    const waiting: Array<() => void> = []

    const server = yield* LoopbackServer.make((request, response, origin) => {
      const { json } = LoopbackServer
      const metadata = `resource_metadata="${origin}/resource"`
      switch (request.path) {
        case "/.well-known/oauth-protected-resource/mcp":
        case "/resource":
          return json(response, { resource: `${origin}/mcp`, authorization_servers: [settings.issuer ?? origin] })
        case "/.well-known/oauth-authorization-server":
          return json(response, {
            issuer: origin,
            authorization_endpoint: `${origin}/authorize`,
            token_endpoint: `${origin}/token`,
            response_types_supported: ["code"],
            token_endpoint_auth_methods_supported: ["client_secret_basic", "private_key_jwt", "none"]
          })
        case "/idp/token": {
          const parameters = new URLSearchParams(request.body)
          exchanged.push(parameters)
          return parameters.get("subject_token") === "spent-token"
            ? json(response, { error: "invalid_grant", error_description: "the id token has expired" }, 400)
            : json(response, {
                access_token: `jag-${CANARY}`,
                issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
                token_type: "N_A"
              })
        }
        case "/token": {
          const parameters = new URLSearchParams(request.body)
          asked.push(parameters)
          const token = `token-${asked.length}`
          const scope = settings.granted ?? parameters.get("scope") ?? ""
          const answer = () => {
            if (settings.refusal !== undefined) return json(response, settings.refusal.body, settings.refusal.status)
            tokens.set(`Bearer ${token}`, scope)
            return json(response, {
              access_token: token,
              token_type: "Bearer",
              ...(settings.expiresIn === undefined ? {} : { expires_in: settings.expiresIn }),
              ...(scope === "" ? {} : { scope })
            })
          }
          return settings.holds ? void waiting.push(answer) : answer()
        }
        case "/mcp": {
          const authorization = request.headers.authorization ?? ""
          seen.push(authorization)
          if (settings.open && (request.method === "DELETE" || request.body.includes(`"initialize"`))) {
            return response.writeHead(200, { "mcp-session-id": "session-1" }).end()
          }
          const scope = tokens.get(authorization)
          if (scope === undefined || settings.refusesAll) {
            return response.writeHead(401, { "www-authenticate": `Bearer ${metadata}` }).end()
          }
          if (settings.scope !== undefined && !scope.split(" ").includes(settings.scope)) {
            const challenge = `Bearer error="insufficient_scope", scope="${settings.scope}", ${metadata}`
            return response.writeHead(403, { "www-authenticate": challenge }).end()
          }
          return json(response, {})
        }
        default:
          return response.writeHead(404).end()
      }
    })
    return {
      origin: server.origin,
      url: `${server.origin}/mcp`,
      settings,
      asked,
      exchanged,
      seen,
      received: server.received,
      expire: () => tokens.clear(),
      release: () => {
        for (const answer of waiting.splice(0)) answer()
      }
    }
  })
