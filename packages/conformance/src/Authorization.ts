/**
 * What a connection of a scenario about authorization has: what its entry says of signing in, who signs in, and the
 * source of a token where nobody does.
 *
 * The suite's authorization servers send a browser back at once, so one request stands in for the browser; all else of
 * signing in, our listener included, is what a person's runtime has.
 */
import type { HeaderSource } from "@letterhead/core/sources/HeaderSource"
import { BrowserLauncher, BrowserMissing } from "@letterhead/oauth/signin/BrowserLauncher"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AuthorizationContext from "./AuthorizationContext.ts"
import * as GrantSource from "./GrantSource.ts"
import type { Scenario } from "./ScenarioTour.ts"

export interface Authorization {
  /** `oauth` of the entry. */
  readonly oauth?: Readonly<Record<string, string | undefined>>
  readonly signIn?: Layer.Layer<SignIn>
  readonly sources: ReadonlyArray<HeaderSource>
}

/** For a scenario whose server is at `url`; nothing where it is about something else. */
export const make = Effect.fnUntraced(function* (
  { context, name }: Scenario,
  url: string
): Effect.fn.Return<Authorization, Error> {
  if (!name.startsWith("auth/")) return { sources: [] }
  const given = yield* AuthorizationContext.decode(context)
  const grant = GrantSource.make(name, given, url)
  if (grant !== undefined) return { sources: [grant] }
  const { client_id: clientId, client_secret: clientSecret } = given
  if (name === KNOWS_DOCUMENT) return { oauth: { clientMetadataUrl: DOCUMENT }, signIn, sources: [] }
  return { ...(clientId === undefined ? {} : { oauth: { clientId, clientSecret } }), signIn, sources: [] }
})

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
