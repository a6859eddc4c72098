/** An authorization server whose token endpoint answers as a test says, and a client of it. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as DeviceAuthorization from "../../src/grant/DeviceAuthorization.ts"
import type { OAuthClient } from "../../src/client/OAuthClient.ts"
import type { TokenAnswer } from "../../src/grant/TokenRequest.ts"
import { discover, type FaultyServer, make, METADATA } from "./FaultyAuthorizationServer.ts"
import type { Received } from "./LoopbackServer.ts"

export const TOKENS = { access_token: "at-hunter2", token_type: "bearer", expires_in: 60, refresh_token: "rt-hunter2" }

/** Answers token requests one after the other; the last answer stays. */
export const tokenServer = (
  answers: ReadonlyArray<{ readonly status: number; readonly json: unknown }>,
  metadata: object = {}
) => {
  let count = 0
  return make({
    metadata: { ...METADATA, ...metadata },
    answering: ({ path }) => (path === "/token" ? answers[Math.min(count++, answers.length - 1)] : DEVICE_PATHS[path])
  })
}

const DEVICE_PATHS: Readonly<Record<string, { readonly status: number; readonly json: unknown }>> = {
  "/device": {
    status: 200,
    json: { device_code: "dc-hunter2", user_code: "ABCD", verification_uri: "{origin}/go", expires_in: 600 }
  },
  "/refusing": { status: 400, json: { error: "invalid_scope", error_description: "no s3cret-s3cret" } }
}

export const granting = (metadata: object = {}) => tokenServer([{ status: 200, json: TOKENS }], metadata)

export const refusing = (json: unknown, status = 400) => tokenServer([{ status, json }])

export const optionsOf = (server: FaultyServer, client: Partial<OAuthClient> = {}) =>
  Effect.map(discover(server), (authorizationServer) => ({
    authorizationServer,
    client: { id: "me", issuer: server.origin, ...client },
    fetch: server.fetch
  }))

export const tokenRequests = (server: FaultyServer): ReadonlyArray<Received> =>
  server.received.filter(({ path }) => path === "/token")

/** The parameters of the last token request. */
export const sent = (server: FaultyServer) =>
  Object.fromEntries(new URLSearchParams(tokenRequests(server).at(-1)?.body))

export const revealed = ({ accessToken }: TokenAnswer): string => Redacted.value(accessToken)

export const secret = Redacted.make("s3cret:+ä")

export const device = (server: FaultyServer, path: string) =>
  Effect.flatMap(optionsOf(server, { secret }), (options) =>
    DeviceAuthorization.request({ ...options, endpoint: new URL(path, server.origin), scopes: ["read"] })
  )
