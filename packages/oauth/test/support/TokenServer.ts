/**
 * An authorization server and the MCP endpoint it guards, in one program of 127.0.0.1.
 *
 * Refresh tokens rotate, and one that is presented twice ends all that came of its sign-in, as RFC 9700 has it: so a test
 * sees when two used one. It counts what it is asked, and answers token requests as badly as a test wants.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type { ServerResponse } from "node:http"
import * as LoopbackServer from "./LoopbackServer.ts"

export interface TokenServer {
  readonly origin: string
  /** Of the MCP endpoint. */
  readonly url: string
  readonly counts: Counts
  readonly settings: Settings
  /** Ends every access token that was issued by now. */
  readonly expireAccess: () => void
  /** Ends every refresh token that was issued by now. */
  readonly revokeRefresh: () => void
  /** The values of `Authorization` at the MCP endpoint. */
  readonly seen: Array<string>
  /** The scopes that were asked for at the authorization endpoint. */
  readonly asked: Array<string>
  readonly received: ReadonlyArray<LoopbackServer.Received>
}

export interface Counts {
  tokens: number
  refreshes: number
  /** Refresh tokens that were presented after they were spent. */
  reuses: number
  inFlight: number
  mostInFlight: number
  registrations: number
}

export interface Settings {
  /** Seconds. */
  expiresIn: number
  /** Milliseconds that a token request takes. */
  delay: number
  /** How token requests are answered. */
  fault: "none" | "500" | "html" | "huge" | "hang" | "invalid_grant"
  /** What the MCP endpoint asks for with 403. */
  scope: string | undefined
  /** Whether the MCP endpoint says why with its 401. */
  challenges: boolean
  /** In place of the own. */
  issuer: string | undefined
  /** What tokens are for, in place of the URL of the MCP endpoint. */
  resource: string | undefined
}

interface Family {
  alive: boolean
  readonly scope: string
}

const HUGE = 3 * 1024 * 1024

/** Lives as long as the scope. */
export const make = (initial: Partial<Settings> = {}): Effect.Effect<TokenServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const settings: Settings = {
      expiresIn: 3_600,
      delay: 0,
      fault: "none",
      scope: undefined,
      challenges: true,
      issuer: undefined,
      resource: undefined,
      ...initial
    }
    const counts: Counts = { tokens: 0, refreshes: 0, reuses: 0, inFlight: 0, mostInFlight: 0, registrations: 0 }
    const codes = new Map<string, { readonly challenge: string; readonly scope: string }>()
    const access = new Map<string, { readonly until: number; readonly family: Family }>()
    const refresh = new Map<string, { spent: boolean; readonly family: Family }>()
    const seen: Array<string> = []
    const asked: Array<string> = []
    let next = 0

    const issue = (family: Family) => {
      next += 1
      access.set(`access-${next}`, { until: Date.now() + settings.expiresIn * 1_000, family })
      refresh.set(`refresh-${next}`, { spent: false, family })
      return {
        access_token: `access-${next}`,
        refresh_token: `refresh-${next}`,
        token_type: "Bearer",
        expires_in: settings.expiresIn,
        scope: family.scope
      }
    }

    const grant = (parameters: URLSearchParams): object | undefined => {
      if (parameters.get("grant_type") === "authorization_code") {
        const code = codes.get(parameters.get("code") ?? "")
        codes.delete(parameters.get("code") ?? "")
        const verifier = createHash("sha256")
          .update(parameters.get("code_verifier") ?? "")
          .digest("base64url")
        return code?.challenge === verifier ? issue({ alive: true, scope: code.scope }) : undefined
      }
      counts.refreshes += 1
      const presented = refresh.get(parameters.get("refresh_token") ?? "")
      if (presented === undefined || !presented.family.alive) return undefined
      if (presented.spent) {
        counts.reuses += 1
        presented.family.alive = false
        return undefined
      }
      presented.spent = true
      return issue(presented.family)
    }

    const token = async (body: string, response: ServerResponse) => {
      counts.tokens += 1
      counts.inFlight += 1
      counts.mostInFlight = Math.max(counts.mostInFlight, counts.inFlight)
      const { fault } = settings
      if (fault === "hang") {
        response.once("close", () => (counts.inFlight -= 1))
        return
      }
      if (fault === "500") json(response, 500, { error: "server_error" })
      else if (fault === "html") response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome</h1>")
      else if (fault === "huge") response.writeHead(200, { "content-type": "application/json" }).end(" ".repeat(HUGE))
      else {
        await new Promise((resolve) => setTimeout(resolve, settings.delay))
        const answer = fault === "invalid_grant" ? undefined : grant(new URLSearchParams(body))
        json(response, answer === undefined ? 400 : 200, answer ?? { error: "invalid_grant" })
      }
      counts.inFlight -= 1
    }

    const mcp = (authorization: string, response: ServerResponse, origin: string) => {
      seen.push(authorization)
      const found = access.get(authorization.replace(/^Bearer /, ""))
      const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
      if (found === undefined || found.until <= Date.now() || !found.family.alive) {
        const challenge = settings.challenges ? { "www-authenticate": `Bearer ${metadata}` } : {}
        response.writeHead(401, challenge).end()
      } else if (settings.scope !== undefined && !found.family.scope.split(" ").includes(settings.scope)) {
        const challenge = `Bearer error="insufficient_scope", scope="${settings.scope}", ${metadata}`
        response.writeHead(403, { "www-authenticate": challenge }).end()
      } else {
        json(response, 200, {})
      }
    }

    const server = yield* LoopbackServer.make((request, response, origin) => {
      const url = new URL(request.path, origin)
      const issuer = settings.issuer ?? origin
      switch (url.pathname) {
        case "/.well-known/oauth-protected-resource/mcp":
          return json(response, 200, {
            resource: settings.resource ?? `${origin}/mcp`,
            authorization_servers: [issuer]
          })
        case "/.well-known/oauth-authorization-server":
          return json(response, 200, {
            issuer: origin,
            authorization_endpoint: `${origin}/authorize`,
            token_endpoint: `${origin}/token`,
            registration_endpoint: `${origin}/register`,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"],
            token_endpoint_auth_methods_supported: ["none", "client_secret_basic"]
          })
        case "/register": {
          counts.registrations += 1
          const asked: unknown = JSON.parse(request.body)
          return json(response, 201, {
            ...(typeof asked === "object" ? asked : {}),
            client_id: `client-${counts.registrations}`
          })
        }
        case "/authorize": {
          const code = `code-${(next += 1)}`
          const scope = url.searchParams.get("scope") ?? ""
          asked.push(scope)
          codes.set(code, { challenge: url.searchParams.get("code_challenge") ?? "", scope })
          const back = new URL(url.searchParams.get("redirect_uri") ?? "")
          back.search = new URLSearchParams({ code, state: url.searchParams.get("state") ?? "" }).toString()
          return response.writeHead(302, { location: back.href }).end()
        }
        case "/token":
          return void token(request.body, response)
        case "/mcp":
          return mcp(request.headers.authorization ?? "", response, origin)
        default:
          return response.writeHead(404).end()
      }
    })
    return {
      origin: server.origin,
      url: `${server.origin}/mcp`,
      counts,
      settings,
      expireAccess: () => access.clear(),
      revokeRefresh: () => refresh.clear(),
      seen,
      asked,
      received: server.received
    }
  })

const json = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
