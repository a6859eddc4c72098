/**
 * Device authorization (RFC 8628): a person enters a code in a browser of any machine, and this program asks until they
 * have. What is shown to the person, and when it is asked again, is up to `SignIn.device`.
 */
import { TokenFailed } from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ClientAuthentication from "../client/ClientAuthentication.ts"
import * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface DeviceOptions extends TokenRequest.GrantOptions {
  /** Of the authorization server's metadata. */
  readonly endpoint: URL
  readonly scopes: ReadonlyArray<string>
}

/** What the person is told, as it came: it has to be checked before it is shown. */
export interface DeviceAuthorization {
  readonly verificationUri: string
  readonly verificationUriComplete?: string
  readonly userCode: string
  /** Seconds. */
  readonly expiresIn: number
  /** Seconds; absent where the server does not say. */
  readonly interval?: number
  /** Asks once whether the person is done. */
  readonly poll: Effect.Effect<DeviceAnswer, GrantError.GrantError>
}

export type DeviceAnswer =
  | { readonly _tag: "Pending" }
  /** As `Pending`, and from now on 5 s more between two questions. */
  | { readonly _tag: "SlowDown" }
  | { readonly _tag: "Done"; readonly value: TokenRequest.TokenAnswer }

export const request = Effect.fn("DeviceAuthorization.request")(function* (
  options: DeviceOptions
): Effect.fn.Return<DeviceAuthorization, GrantError.GrantError> {
  const { response, text } = yield* Effect.tryPromise({
    try: (signal) => ask(options, signal),
    catch: (error) => GrantError.fromUnknown(error, TokenRequest.secretsOf(options.client))
  })
  if (!response.ok) return yield* refusalOf(text, options)
  const answer = Option.getOrUndefined(decodeAnswer(text))
  if (answer === undefined) return yield* new TokenFailed({ description: "it answered with no code for a device" })
  const deviceCode = Redacted.make(answer.device_code)
  return {
    verificationUri: answer.verification_uri,
    ...(answer.verification_uri_complete === undefined
      ? {}
      : { verificationUriComplete: answer.verification_uri_complete }),
    userCode: answer.user_code,
    expiresIn: answer.expires_in,
    ...(answer.interval === undefined ? {} : { interval: answer.interval }),
    poll: TokenRequest.send(options, { grant_type: GRANT_TYPE, device_code: deviceCode }).pipe(
      Effect.map((value): DeviceAnswer => ({ _tag: "Done", value })),
      Effect.catchTag("GrantRefused", (refusal): Effect.Effect<DeviceAnswer, GrantError.GrantRefused> => {
        if (refusal.code === "authorization_pending") return Effect.succeed({ _tag: "Pending" })
        return refusal.code === "slow_down" ? Effect.succeed({ _tag: "SlowDown" }) : Effect.fail(refusal)
      })
    )
  }
})

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

const ask = async (
  { authorizationServer, client, endpoint, fetch, scopes }: DeviceOptions,
  signal: AbortSignal
): Promise<{ readonly response: Response; readonly text: string }> => {
  const { metadata, resource } = authorizationServer
  const headers = new Headers({ accept: "application/json", "content-type": "application/x-www-form-urlencoded" })
  const parameters = new URLSearchParams({ resource })
  const scope = TokenRequest.scopeOf(scopes)
  if (scope !== undefined) parameters.set("scope", scope)
  await ClientAuthentication.make(client, metadata)(headers, parameters, endpoint, metadata)
  // Every way of authenticating may leave the id out of the body; this request has to have it there.
  parameters.set("client_id", client.id)
  const response = await fetch(endpoint, { method: "POST", headers, body: parameters.toString(), signal })
  return { response, text: await response.text() }
}

const refusalOf = (text: string, { client }: DeviceOptions): GrantError.GrantError => {
  const refusal = Option.getOrUndefined(decodeRefusal(text))
  return refusal === undefined
    ? new TokenFailed({ description: "it refused a code for a device, and does not say why" })
    : GrantError.refused(refusal.error, refusal.error_description ?? "", TokenRequest.secretsOf(client))
}

const decodeAnswer = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      device_code: Schema.String,
      user_code: Schema.String,
      verification_uri: Schema.String,
      verification_uri_complete: Schema.optional(Schema.String),
      expires_in: Schema.Finite,
      interval: Schema.optional(Schema.Finite)
    })
  )
)

const decodeRefusal = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ error: Schema.String, error_description: Schema.optional(Schema.String) }))
)
