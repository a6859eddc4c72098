/**
 * What a connection of a scenario about authorization has: what its entry says of signing in, or of a grant that needs
 * nobody, and who signs in.
 *
 * The suite's authorization servers send a browser back at once, so one request stands in for the browser; all else of
 * signing in, our listener included, is what a person's runtime has.
 */
import { BrowserLauncher, BrowserMissing } from "@letterhead/oauth/signin/BrowserLauncher"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AuthorizationContext from "./AuthorizationContext.ts"
import type { Scenario } from "./ScenarioTour.ts"

export interface Authorization {
  /** `oauth` of the entry. */
  readonly oauth?: object
  readonly signIn?: Layer.Layer<SignIn>
}

/** For a scenario; nothing where it is about something else. */
export const make = Effect.fnUntraced(function* ({ context, name }: Scenario): Effect.fn.Return<Authorization, Error> {
  if (!name.startsWith("auth/")) return {}
  const given = yield* AuthorizationContext.decode(context)
  const grant = grantOf(name, given)
  if (grant !== undefined) return { oauth: { clientId: given.client_id, ...grant } }
  const { client_id: clientId, client_secret: clientSecret } = given
  if (name === KNOWS_DOCUMENT) return { oauth: { clientMetadataUrl: DOCUMENT }, signIn }
  return {
    ...(clientId === undefined ? {} : { oauth: { clientId, ...(clientSecret === undefined ? {} : { clientSecret }) } }),
    signIn
  }
})

/** What the entry of a scenario says in which nobody signs in; `undefined` where somebody does. */
const grantOf = (scenario: string, context: AuthorizationContext.AuthorizationContext): object | undefined => {
  const { client_secret: clientSecret, private_key_pem: privateKey, signing_algorithm: signingAlgorithm } = context
  const {
    idp_client_id: clientId,
    idp_id_token: idToken,
    idp_issuer: issuer,
    idp_token_endpoint: tokenEndpoint
  } = context
  const { valid_jwt: assertion } = context
  const secret = clientSecret === undefined ? {} : { clientSecret }
  if (scenario.startsWith("auth/client-credentials-")) {
    return {
      grant: "client_credentials",
      ...secret,
      ...(privateKey === undefined ? {} : { privateKey, signingAlgorithm })
    }
  }
  if (assertion !== undefined) return { grant: "jwt_bearer", assertion }
  if (idToken === undefined) return undefined
  return { grant: "id_jag", ...secret, idToken, identityProvider: { issuer, tokenEndpoint, clientId } }
}

/** The scenario whose authorization server takes the URL of a document as the id of a client, and which URL that is. */
const KNOWS_DOCUMENT = "auth/basic-cimd"
const DOCUMENT = "https://conformance-test.local/client-metadata.json"

/** Goes where the browser would, up to our own page. */
const launcher = Layer.succeed(BrowserLauncher, {
  open: (address) =>
    Effect.tryPromise({
      try: async (signal) => {
        const { ok, status } = await fetch(address, { signal })
        if (!ok) throw new Error(`the page that it shows answers ${status}`)
      },
      catch: (error) => new BrowserMissing({ description: String(error) })
    })
})

const signIn = Layer.provide(BrowserSignIn.layer, launcher)
