/**
 * The part of a trust subject that is about OAuth: as whom somebody signs in, for what, and where a caller's token goes.
 *
 * Nothing where an entry says nothing of it: a token then goes only to the URL that somebody signed in at.
 */
import type { ServerEntry } from "../server/ServerEntry.ts"
import { masked, printable, shown } from "./SubjectText.ts"

/** What the digest covers. */
export const canonical = ({ auth, oauth }: ServerEntry) =>
  auth !== "oauth" && oauth === undefined
    ? []
    : [
        [
          auth,
          oauth?.clientId?.source ?? null,
          oauth?.clientSecret?.source ?? null,
          oauth?.scopes ?? [],
          oauth?.callbackPort ?? 0,
          oauth?.clientMetadataUrl ?? null,
          oauth?.exchange === undefined
            ? null
            : [oauth.exchange.tokenUrl, oauth.exchange.audience ?? null, oauth.exchange.subjectTokenType ?? null]
        ]
      ]

/** What a person is shown. */
export const lines = ({ auth, oauth }: ServerEntry): ReadonlyArray<readonly [label: string, value: string]> => {
  if (auth !== "oauth" && oauth === undefined) return []
  const { clientId, clientMetadataUrl, clientSecret, exchange, scopes = [] } = oauth ?? {}
  return [
    ["OAuth", exchange === undefined ? SIGNS_IN[auth] : "sends the token of whoever calls, for one of the server"],
    ...(exchange === undefined ? [] : [["OAuth sends the caller's token to", printable(exchange.tokenUrl)] as const]),
    ...(exchange?.audience === undefined ? [] : [["OAuth audience", printable(exchange.audience)] as const]),
    ...(clientId === undefined ? [] : [["OAuth client", shown(clientId)] as const]),
    ...(clientSecret === undefined ? [] : [["OAuth client secret", masked(clientSecret)] as const]),
    ...(clientMetadataUrl === undefined ? [] : [["OAuth client", printable(clientMetadataUrl)] as const]),
    ...(scopes.length === 0 ? [] : [["OAuth scopes", printable(scopes.join(" "))] as const])
  ]
}

const SIGNS_IN = {
  oauth: "signs in when it connects, and sends the tokens",
  auto: "signs in where the server asks, and sends the tokens",
  none: "never signs in"
} as const
