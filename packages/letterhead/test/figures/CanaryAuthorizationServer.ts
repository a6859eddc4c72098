/**
 * An authorization server that knows no shame: each of its endpoints repeats what it was sent, and what it ever gave out,
 * in whatever it answers. Beside it the MCP server that takes its tokens, and as careless.
 *
 * It remembers every secret of a sign-in, those that it makes and those that it is sent, so that a test can look for
 * them.
 */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import type { Refusal } from "@letterhead/testing/LoopbackServerControls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"

/** Of a client that an entry names. */
export const CLIENT_SECRET = `canary9a4f20 client+secret/of"it`

/** What an endpoint does; `works` is what it is for. */
export type Endpoint = "works" | Answering

type Answering = (said: Said, response: ServerResponse) => void

/** What can be repeated. */
export interface Said {
  /** Of this request: parameter by parameter, then the credential of the client, then the whole. */
  readonly request: ReadonlyArray<string>
  /** What it knows beside: the secrets that are of use now, the newest of each kind. */
  readonly known: ReadonlyArray<string>
}

export interface Settings {
  token: Endpoint
  register: Endpoint
  revoke: Endpoint
  device: Endpoint
  /** What a person comes back with, in place of a code; is given the state and what would be the code. */
  redirect: ((state: string, code: string) => Readonly<Record<string, string>>) | undefined
  /** In place of the members of its metadata. */
  metadata: Readonly<Record<string, unknown>>
  /** What the MCP server does to a request with this token, in place of looking at it: it takes or refuses it. */
  mcp: ((token: string) => Refusal | "taken") | undefined
  /** Runs before a token is given out. */
  issuing: () => void
  /** Seconds. */
  lifetime: number
}

export interface CanaryAuthorizationServer {
  /** Of the MCP server. */
  readonly url: string
  readonly origin: string
  readonly settings: Settings
  /** Every secret so far, by what it is. */
  readonly secrets: ReadonlyMap<string, ReadonlySet<string>>
  /** No access token is taken any more. */
  readonly expire: () => void
  /** The tokens that the MCP server was sent, in order. */
  readonly seen: ReadonlyArray<string>
  /** The requests to the authorization server. */
  readonly received: ReadonlyArray<{ readonly path: string; readonly headers: IncomingHttpHeaders }>
  /** The grants that were asked for, in order. */
  readonly grants: ReadonlyArray<string>
}

/** Everything works. */
export const WELL: Readonly<Settings> = {
  token: "works",
  register: "works",
  revoke: "works",
  device: "works",
  redirect: undefined,
  metadata: {},
  mcp: undefined,
  issuing: () => undefined,
  lifetime: 3_600
}

/** Lives as long as the scope. */
export const make: Effect.Effect<CanaryAuthorizationServer, never, Scope.Scope> = Effect.gen(function* () {
  const mcp = yield* LoopbackServer.make({ era: "modern" })
  const settings: Settings = { ...WELL }
  const secrets = new Map<string, Set<string>>()
  const live = new Map<string, string>()
  const remember = (what: string, secret: string | null | undefined): string => {
    if (secret) {
      secrets.set(what, (secrets.get(what) ?? new Set()).add(secret))
      live.set(what, secret)
    }
    return secret ?? ""
  }
  const challenges = new Map<string, string>()
  const access = new Set<string>()
  const refresh = new Set<string>()
  const seen: Array<string> = []
  const received: Array<{ readonly path: string; readonly headers: IncomingHttpHeaders }> = []
  const grants: Array<string> = []
  let next = 0

  const secret = (what: string): string =>
    remember(what, `canary${createHash("sha256").update(`${what} ${next}`).digest("hex").slice(0, 24)}_${(next += 1)}`)

  const issue = () => {
    settings.issuing()
    for (const spent of ["code", "verifier", "state", "device code", "assertion", "subject token"]) live.delete(spent)
    const tokens = { access_token: secret("access token"), refresh_token: secret("refresh token") }
    access.add(tokens.access_token)
    refresh.add(tokens.refresh_token)
    return { ...tokens, token_type: "Bearer", expires_in: settings.lifetime, scope: "read" }
  }

  const granted = (body: URLSearchParams) => {
    switch (body.get("grant_type")) {
      case "refresh_token":
        return refresh.delete(body.get("refresh_token") ?? "") ? issue() : undefined
      case "authorization_code": {
        const verifier = createHash("sha256")
          .update(body.get("code_verifier") ?? "")
          .digest("base64url")
        return challenges.get(body.get("code") ?? "") === verifier ? issue() : undefined
      }
      default:
        return issue()
    }
  }

  const answer = (request: IncomingMessage, response: ServerResponse, text: string): void => {
    const url = new URL(request.url ?? "", `http://${request.headers.host}`)
    received.push({ path: url.pathname, headers: request.headers })
    const body = new URLSearchParams(text)
    for (const [what, name] of SENT) remember(what, body.get(name))
    const credential = (request.headers.authorization ?? "").replace(/^Basic /, "")
    const [, given = ""] = Buffer.from(credential, "base64").toString().split(":")
    remember("client secret", new URLSearchParams(`secret=${given}`).get("secret"))
    const said = {
      request: [...[...body.values()].filter((value) => value.length > 20), credential, text].filter(
        (one) => one !== ""
      ),
      known: [...live.values()]
    }
    const endpoint = (how: Endpoint, works: () => void): void => (how === "works" ? works() : how(said, response))
    switch (url.pathname) {
      case "/resource":
        return json(response, 200, { resource: mcp.url, authorization_servers: [url.origin] })
      case "/.well-known/oauth-authorization-server":
        return json(response, 200, {
          issuer: url.origin,
          authorization_endpoint: `${url.origin}/authorize`,
          token_endpoint: `${url.origin}/token`,
          registration_endpoint: `${url.origin}/register`,
          revocation_endpoint: `${url.origin}/revoke`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
          ...settings.metadata
        })
      case "/register":
        return endpoint(settings.register, () => {
          const registered = { client_id: `client-${(next += 1)}`, client_secret: secret("client secret") }
          json(response, 201, { redirect_uris: JSON.parse(text).redirect_uris, ...registered })
        })
      case "/authorize": {
        const code = secret("code")
        const state = remember("state", url.searchParams.get("state"))
        challenges.set(code, url.searchParams.get("code_challenge") ?? "")
        const back = new URL(url.searchParams.get("redirect_uri") ?? "")
        back.search = new URLSearchParams({ ...(settings.redirect?.(state, code) ?? { code, state }) }).toString()
        return void response.writeHead(302, { location: back.href }).end()
      }
      case "/device":
        return endpoint(settings.device, () =>
          json(response, 200, {
            device_code: secret("device code"),
            user_code: "WDJB-MJHT",
            verification_uri: `${url.origin}/enter`,
            expires_in: 600,
            interval: 1
          })
        )
      case "/token":
        grants.push(body.get("grant_type") ?? "")
        return endpoint(settings.token, () => {
          const tokens = granted(body)
          json(response, tokens === undefined ? 400 : 200, tokens ?? { error: "invalid_grant" })
        })
      case "/revoke":
        return endpoint(settings.revoke, () => void response.writeHead(200).end())
      default:
        return void response.writeHead(404).end()
    }
  }

  const origin = yield* LoopbackListener.listen((request, response, body) => answer(request, response, body))
  yield* mcp.demand((headers) => {
    const token = (headers.get("authorization") ?? "").replace(/^Bearer /, "")
    seen.push(token)
    const done = settings.mcp?.(token) ?? (access.has(token) ? "taken" : undefined)
    if (done !== undefined) return done === "taken" ? undefined : done
    return { status: 401, headers: { "www-authenticate": `Bearer resource_metadata="${origin}/resource"` } }
  })
  return { url: mcp.url, origin, settings, secrets, expire: () => access.clear(), seen, received, grants }
})

/** What is sent to a token endpoint, by its parameter. */
const SENT = [
  ["code", "code"],
  ["verifier", "code_verifier"],
  ["refresh token", "refresh_token"],
  ["client secret", "client_secret"],
  ["assertion", "client_assertion"],
  ["assertion", "assertion"],
  ["subject token", "subject_token"],
  ["device code", "device_code"],
  ["token", "token"]
] as const

const json = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

/** Refuses with a code, and with words that repeat the request; more than is shown of them. */
export const refusal =
  (error: string, repeat: (said: Said) => string, status = 400): Answering =>
  (said, response) =>
    json(response, status, { error, error_description: repeat(said) })

/** Answers with a text of this kind that repeats everything. */
export const text =
  (status: number, type: string, around: (everything: string) => string = (everything) => everything): Answering =>
  (said, response) =>
    void response.writeHead(status, { "content-type": type }).end(around(all(said)))

/** Everything that it knows, as it is and as JSON and URLs write it. */
export const all = ({ known, request }: Said): string => written([...request, ...known])

/** Texts in each way in which a careless server writes them. */
export const written = (texts: ReadonlyArray<string>): string =>
  [...texts.flatMap(forms), JSON.stringify(texts)].join(" ; ")

const forms = (one: string): ReadonlyArray<string> => [
  one,
  JSON.stringify(one),
  encodeURIComponent(one),
  new URLSearchParams({ "": one }).toString().slice(1)
]

/** The ways of repeating a request: what is shown of a text ends somewhere, and then another part of it is seen. */
export const REPETITIONS: ReadonlyArray<readonly [what: string, repeat: (said: Said) => string]> = [
  ["value by value", ({ request }) => request.join(" ")],
  ["from the end", ({ request }) => request.toReversed().join(" ")],
  ["as JSON", ({ request }) => JSON.stringify(request)],
  ["as a URL", ({ request }) => request.map(encodeURIComponent).join("&")],
  ["as a form", ({ request }) => request.map((one) => forms(one)[3]).join("&")],
  ["cut by the limit", ({ request }) => `${"x".repeat(290)}${request.join("")}`],
  ["what it knows", ({ known }) => known.toReversed().join(" ")],
  ["everything", all]
]
