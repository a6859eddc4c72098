/**
 * The part of a trust subject that is about OAuth: as whom somebody signs in, for what, where a caller's token goes, and
 * what a grant without a person reads and presents.
 *
 * Nothing where an entry says nothing of it: a token then goes only to the URL that somebody signed in at.
 */
import { NAMES } from "../server/GrantNames.ts"
import type { Grant, ServerEntry } from "../server/ServerEntry.ts"
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
            : [oauth.exchange.tokenUrl, oauth.exchange.audience ?? null, oauth.exchange.subjectTokenType ?? null],
          // What was approved without one stays approved.
          ...(oauth?.grant === undefined ? [] : [canonicalGrant(oauth.grant)])
        ]
      ]

const canonicalGrant = (grant: Grant) => [
  grant.type,
  grant.issuer ?? null,
  grant.key === undefined ? null : [grant.key.privateKey.source, grant.key.algorithm],
  grant.type === "jwt_bearer" ? grant.assertion.source : null,
  grant.type === "id_jag"
    ? [
        grant.identityProvider.issuer,
        grant.identityProvider.tokenEndpoint ?? null,
        grant.identityProvider.clientId.source,
        grant.identityProvider.clientSecret?.source ?? null,
        grant.idToken.source
      ]
    : null
]

/** What a person is shown. */
export const lines = ({ auth, oauth }: ServerEntry): ReadonlyArray<readonly [label: string, value: string]> => {
  if (auth !== "oauth" && oauth === undefined) return []
  const { clientId, clientMetadataUrl, clientSecret, exchange, grant, scopes = [] } = oauth ?? {}
  const what = grant === undefined ? SIGNS_IN[auth] : NAMES[grant.type].action
  return [
    ["OAuth", exchange === undefined ? what : "sends the token of whoever calls, for one of the server"],
    ...(grant === undefined ? [] : grantLines(grant)),
    ...(exchange === undefined ? [] : [["OAuth sends the caller's token to", printable(exchange.tokenUrl)] as const]),
    ...(exchange?.audience === undefined ? [] : [["OAuth audience", printable(exchange.audience)] as const]),
    ...(clientId === undefined ? [] : [["OAuth client", shown(clientId)] as const]),
    ...(clientSecret === undefined ? [] : [["OAuth client secret", masked(clientSecret)] as const]),
    ...(clientMetadataUrl === undefined ? [] : [["OAuth client", printable(clientMetadataUrl)] as const]),
    ...(scopes.length === 0 ? [] : [["OAuth scopes", printable(scopes.join(" "))] as const])
  ]
}

const grantLines = (grant: Grant): ReadonlyArray<readonly [label: string, value: string]> => [
  [
    "OAuth asks",
    grant.issuer === undefined ? "the authorization server that the server names" : printable(grant.issuer)
  ],
  ...(grant.key === undefined
    ? []
    : [["OAuth private key", `${masked(grant.key.privateKey)} (${printable(grant.key.algorithm)})`] as const]),
  ...(grant.type === "jwt_bearer" ? [["OAuth assertion", masked(grant.assertion)] as const] : []),
  ...(grant.type === "id_jag" ? identityProviderLines(grant) : [])
]

const identityProviderLines = ({
  idToken,
  identityProvider: { clientId, clientSecret, issuer, tokenEndpoint }
}: Extract<Grant, { readonly type: "id_jag" }>): ReadonlyArray<readonly [label: string, value: string]> => [
  ["OAuth id token", masked(idToken)],
  ["OAuth sends the id token to", printable(tokenEndpoint ?? issuer)],
  ...(tokenEndpoint === undefined ? [] : [["OAuth identity provider", printable(issuer)] as const]),
  ["OAuth client at the identity provider", shown(clientId)],
  ...(clientSecret === undefined
    ? []
    : [["OAuth client secret at the identity provider", masked(clientSecret)] as const])
]

const SIGNS_IN = {
  oauth: "signs in when it connects, and sends the tokens",
  auto: "signs in where the server asks, and sends the tokens",
  none: "never signs in"
} as const
