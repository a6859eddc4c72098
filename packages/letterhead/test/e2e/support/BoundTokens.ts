/**
 * An MCP server of 127.0.0.1 whose tokens are bound to a key, and the authorization server that binds them (RFC 9449).
 *
 * Both check each proof with Node's own cryptography, and note what is wrong with one. In front of a loopback MCP server,
 * so that every kind of request comes by.
 */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import { ProofCheck, type Proven } from "./ProofCheck.ts"

export interface Settings {
  /** `challenge`: the 401 has the scheme DPoP alone; `either`: beside Bearer; `metadata`: the metadata of the server. */
  asks: "challenge" | "either" | "metadata"
  /** What the authorization server says that it takes. */
  algorithms: ReadonlyArray<string> | undefined
  /** Whether the authorization server binds tokens: where a key is shown to it, or though none is. */
  binds: boolean | "unasked"
  /** Seconds that a token lives. */
  expiresIn: number
  /** Whether the MCP server demands a nonce of its own, gives another with each answer, or refuses each that it gave. */
  nonce: "none" | "demanded" | "rotating" | "refused"
  /** Whether a person enters a code on another device. */
  device: boolean
  /** Whether the authorization server demands a nonce. */
  tokenNonce: boolean
  /** Answers each MCP request so instead. */
  answer: ((request: Seen, response: Http.ServerResponse) => void) | undefined
}

/** A request of the MCP endpoint. */
export interface Seen {
  readonly method: string
  readonly authorization: string | undefined
  /** The field as it came. */
  readonly proof: string | undefined
  /** Why it was refused, or how it was answered. */
  outcome: string
  proven?: Proven
}

export const make = Effect.fnUntraced(function* (era: "legacy" | "modern" = "modern", initial: Partial<Settings> = {}) {
  const settings: Settings = {
    asks: "challenge",
    algorithms: ["RS256", "ES256"],
    binds: true,
    expiresIn: 3_600,
    nonce: "none",
    device: false,
    tokenNonce: false,
    answer: undefined,
    ...initial
  }
  const mcp = yield* LoopbackServer.make({ era })
  const check = new ProofCheck()
  const seen: Array<Seen> = []
  /** The thumbprint of the key that each token is bound to; none of one that is not. */
  const tokens = new Map<string, string | undefined>()
  const refreshTokens = new Map<string, string | undefined>()
  const nonces = new Set<string>()
  /** What was asked for at the token endpoint, and with which key. */
  const grants: Array<readonly [kind: string, thumbprint: string | undefined]> = []
  const authorizations: Array<URLSearchParams> = []
  const violations: Array<string> = []
  let next = 0

  const newNonce = (): string => {
    const nonce = `nonce-${(next += 1)}`
    nonces.add(nonce)
    return nonce
  }

  const token = (url: URL, proof: string | undefined, body: URLSearchParams, response: Http.ServerResponse) => {
    const proven = proof === undefined ? undefined : check.verify(proof, { method: "POST", url, token: undefined })
    if (typeof proven === "string") {
      violations.push(`token endpoint: ${proven}`)
      return json(response, 400, { error: "invalid_dpop_proof" })
    }
    if (settings.tokenNonce && proven !== undefined && !nonces.delete(proven.nonce ?? "")) {
      return json(response, 400, { error: "use_dpop_nonce" }, { "dpop-nonce": newNonce() })
    }
    const kind = body.get("grant_type") ?? ""
    grants.push([kind, proven?.thumbprint])
    if (kind === "refresh_token") {
      const presented = body.get("refresh_token") ?? ""
      if (!refreshTokens.has(presented) || refreshTokens.get(presented) !== proven?.thumbprint) {
        return json(response, 400, { error: "invalid_grant" })
      }
      refreshTokens.delete(presented)
    }
    const bound =
      settings.binds === false ? undefined : (proven?.thumbprint ?? (settings.binds === true ? undefined : "any"))
    const access = `access-${(next += 1)}`
    tokens.set(access, bound)
    refreshTokens.set(`refresh-${next}`, bound)
    return json(response, 200, {
      access_token: access,
      refresh_token: `refresh-${next}`,
      token_type: bound === undefined ? "Bearer" : "DPoP",
      expires_in: settings.expiresIn
    })
  }

  /** Why a request is refused: the challenge. */
  const refusal = (request: Seen, url: URL): string | undefined => {
    const bearer = settings.asks === "challenge" ? "" : `Bearer resource_metadata="${url.origin}/resource"`
    const dpop =
      settings.asks === "metadata" ? "" : `DPoP algs="ES256 PS256", resource_metadata="${url.origin}/resource"`
    const challenge = [bearer, dpop].filter((one) => one !== "").join(", ")
    const [scheme = "", value = ""] = (request.authorization ?? "").split(" ")
    if (!tokens.has(value)) return challenge
    const bound = tokens.get(value)
    if (bound === undefined) return settings.asks === "either" && scheme === "Bearer" ? undefined : challenge
    if (scheme !== "DPoP") violations.push(`a bound token as ${scheme}`)
    const proven = check.verify(request.proof ?? "", { method: request.method, url, token: value })
    if (typeof proven === "string") {
      violations.push(proven)
      return `DPoP error="invalid_dpop_proof"`
    }
    if (proven.thumbprint !== bound) violations.push("the proof is of another key")
    request.proven = proven
    const isFresh = settings.nonce === "none" || (settings.nonce !== "refused" && nonces.has(proven.nonce ?? ""))
    return isFresh ? undefined : `DPoP error="use_dpop_nonce"`
  }

  const endpoint = (request: Http.IncomingMessage, response: Http.ServerResponse, body: string, url: URL) => {
    const { authorization, dpop } = request.headers
    const one: Seen = {
      method: request.method ?? "",
      authorization,
      proof: typeof dpop === "string" ? dpop : undefined,
      outcome: "answered"
    }
    seen.push(one)
    if (settings.answer !== undefined) return settings.answer(one, response)
    const challenge = refusal(one, url)
    const nonce = settings.nonce === "none" || (settings.nonce === "demanded" && challenge === undefined)
    const fields = nonce ? {} : { "dpop-nonce": newNonce() }
    if (challenge === undefined) return forward(mcp.url, request, response, body, fields)
    one.outcome = /error="(\w+)"/.exec(challenge)?.[1] ?? "challenged"
    return void response.writeHead(401, { "www-authenticate": challenge, ...fields }).end()
  }

  const origin = yield* LoopbackListener.listen((request, response, body) => {
    const url = new URL(request.url ?? "", `http://${request.headers.host}`)
    switch (url.pathname) {
      case "/mcp":
        return endpoint(request, response, body, url)
      case "/resource":
      case "/.well-known/oauth-protected-resource/mcp":
        return json(response, 200, {
          resource: `${url.origin}/mcp`,
          authorization_servers: [url.origin],
          ...(settings.asks === "metadata" ? { dpop_bound_access_tokens_required: true } : {})
        })
      case "/.well-known/oauth-authorization-server":
        return json(response, 200, {
          issuer: url.origin,
          authorization_endpoint: `${url.origin}/authorize`,
          token_endpoint: `${url.origin}/token`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["none"],
          registration_endpoint: `${url.origin}/register`,
          ...(settings.device ? { device_authorization_endpoint: `${url.origin}/device` } : {}),
          ...(settings.algorithms === undefined ? {} : { dpop_signing_alg_values_supported: settings.algorithms })
        })
      case "/register":
        return json(response, 201, { redirect_uris: ["http://127.0.0.1/callback"], client_id: "client" })
      case "/device":
        return json(response, 200, {
          device_code: "device",
          user_code: "WDJB-MJHT",
          verification_uri: `${url.origin}/enter`,
          expires_in: 600
        })
      case "/authorize": {
        authorizations.push(url.searchParams)
        const back = new URL(url.searchParams.get("redirect_uri") ?? "")
        back.search = String(new URLSearchParams({ code: "code", state: url.searchParams.get("state") ?? "" }))
        return void response.writeHead(302, { location: back.href }).end()
      }
      case "/idp/token":
        if (request.headers.dpop !== undefined) violations.push("a proof for the identity provider")
        return json(response, 200, {
          access_token: "id-jag",
          issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
          token_type: "N_A"
        })
      case "/token": {
        const { dpop } = request.headers
        return token(url, typeof dpop === "string" ? dpop : undefined, new URLSearchParams(body), response)
      }
      default:
        return void response.writeHead(404).end()
    }
  })
  return {
    origin,
    url: `${origin}/mcp`,
    settings,
    seen,
    grants,
    authorizations,
    violations,
    /** No access token is taken any more. */
    expire: () => tokens.clear()
  }
})

const forward = (
  to: string,
  { headers, method }: Http.IncomingMessage,
  response: Http.ServerResponse,
  body: string,
  fields: Readonly<Record<string, string>>
): void => {
  const { host: _, ...rest } = headers
  const outgoing = Http.request(to, { method, headers: rest }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...fields }).flushHeaders()
    answer.pipe(response)
  })
  outgoing.on("error", () => response.destroy())
  response.on("close", () => outgoing.destroy())
  outgoing.end(body)
}

const json = (
  response: Http.ServerResponse,
  status: number,
  body: object,
  fields: Readonly<Record<string, string>> = {}
): void => {
  response.writeHead(status, { "content-type": "application/json", ...fields }).end(JSON.stringify(body))
}
