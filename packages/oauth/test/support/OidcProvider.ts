/** oidc-provider as the authorization server of a loopback MCP server, and a person who signs in and consents there. */
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { type Configuration, Provider } from "oidc-provider"

export interface OidcProvider {
  readonly issuer: string
}

export interface ProviderOptions {
  /** The only resource that tokens are for. */
  readonly resource: string
  readonly clients?: Configuration["clients"]
}

/** Lives as long as the scope. Registers clients, rotates refresh tokens, and has devices, revocation, PKCE and DPoP. */
export const make = ({ clients = [], resource }: ProviderOptions): Effect.Effect<OidcProvider, never, Scope.Scope> =>
  Effect.map(
    serve(
      (issuer) =>
        new Provider(issuer, {
          clients,
          scopes: ["openid", "offline_access", "read", "write"],
          cookies: { keys: ["loopback"] },
          rotateRefreshToken: true,
          features: {
            ...featuresFor(resource, { scope: "read write" }),
            clientCredentials: { enabled: true },
            deviceFlow: { enabled: true },
            dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true }
          }
        })
    ),
    ({ origin }) => ({ issuer: origin })
  )

/** People sign in by forms, clients register themselves, and tokens are for one resource alone. */
export const featuresFor = (
  resource: string,
  granted: { readonly scope: string; readonly accessTokenTTL?: number }
) => ({
  devInteractions: { enabled: true },
  registration: { enabled: true },
  revocation: { enabled: true },
  resourceIndicators: {
    enabled: true,
    useGrantedResource: () => true,
    getResourceServerInfo: (_: unknown, asked: string) => {
      if (asked !== resource) throw new Error(`tokens are not for ${asked}`)
      return { ...granted, audience: resource }
    }
  }
})

/** Its issuer is where it is served, which is known once it is. */
export const serve = Effect.fnUntraced(function* (make: (origin: string) => Provider) {
  let handle: ReturnType<Provider["callback"]> | undefined
  const server = createServer((request, response) => void handle?.(request, response))
  const origin = `http://127.0.0.1:${yield* LoopbackListener.bind(server)}`
  const provider = make(origin)
  handle = provider.callback()
  return { origin, provider }
})

/** Goes where a browser would, signs in and consents; gives what comes back to the redirect URI. */
export const consent = async (authorizationUrl: URL, redirectUri: string): Promise<URLSearchParams> => {
  const cookies = new Map<string, string>()
  let url = authorizationUrl.href
  let form: URLSearchParams | undefined
  for (let step = 0; step < 20; step++) {
    const response = await fetch(url, {
      redirect: "manual",
      method: form === undefined ? "GET" : "POST",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form === undefined ? {} : { body: form })
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [name = "", value = ""] = (cookie.split(";")[0] ?? "").split("=")
      cookies.set(name, value)
    }
    const text = await response.text()
    const location = response.headers.get("location")
    form = undefined
    if (location !== null) {
      url = new URL(location, url).href
      if (url.startsWith(redirectUri)) return new URL(url).searchParams
      continue
    }
    const prompt = /name="prompt" value="(login|consent)"/.exec(text)?.[1]
    if (prompt === undefined) throw new Error(`no form at ${url}: ${response.status} ${text.slice(0, 500)}`)
    form = new URLSearchParams({ prompt, login: "ada", password: "lovelace" })
  }
  throw new Error("the authorization server never came to an end")
}
