/** What an entry says of OAuth as it is now: its templates evaluated, which asks the trust gate before (design rule 7). */
import { HeaderError } from "@letterhead/core/headers/HeaderError"
import type { Grant, ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Template from "@letterhead/core/server/Template"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ClientSettings, GrantSettings } from "./OAuthFlow.ts"

/** Reads variables and files anew each time; nothing is asked or read where the entry says nothing. */
export const evaluate = Effect.fn("EntrySettings.evaluate")(function* (entry: ServerEntry) {
  const { oauth } = entry
  const nothing: ClientSettings = {}
  if (oauth === undefined) return nothing
  yield* (yield* TrustGate).require(entry)
  const text = (template: Template.Template) =>
    Effect.mapError(
      Template.evaluate(template, { origin: entry.origin, place: oauth.place }),
      (reason) => new HeaderError({ server: entry.name, source: "oauth", reason })
    )
  const secret = (template: Template.Template) => Effect.map(text(template), (value) => Redacted.make(value))
  const { callbackPort, clientId, clientMetadataUrl, clientSecret, grant } = oauth

  const settingsOf = Effect.fnUntraced(function* (written: Grant) {
    const { issuer, key } = written
    const common = {
      ...(issuer === undefined ? {} : { issuer }),
      ...(key === undefined ? {} : { key: { privateKey: yield* secret(key.privateKey), algorithm: key.algorithm } })
    }
    if (written.type === "client_credentials") return { type: written.type, ...common } satisfies GrantSettings
    if (written.type === "jwt_bearer") {
      // A file of an assertion ends with a line break more often than not.
      const assertion = Redacted.make((yield* text(written.assertion)).trim())
      return { type: written.type, ...common, assertion } satisfies GrantSettings
    }
    const { identityProvider } = written
    return {
      type: written.type,
      ...common,
      idToken: Redacted.make((yield* text(written.idToken)).trim()),
      identityProvider: {
        issuer: identityProvider.issuer,
        ...(identityProvider.tokenEndpoint === undefined ? {} : { tokenEndpoint: identityProvider.tokenEndpoint }),
        clientId: yield* text(identityProvider.clientId),
        ...(identityProvider.clientSecret === undefined
          ? {}
          : { clientSecret: yield* secret(identityProvider.clientSecret) })
      }
    } satisfies GrantSettings
  })

  const settings: ClientSettings = {
    ...(clientId === undefined ? {} : { clientId: yield* text(clientId) }),
    ...(clientSecret === undefined ? {} : { clientSecret: yield* secret(clientSecret) }),
    ...(callbackPort === undefined ? {} : { callbackPort }),
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    ...(grant === undefined ? {} : { grant: yield* settingsOf(grant) })
  }
  return settings
})
