/** What a person approves of an entry that says how somebody signs in. */
import { assert, it } from "@effect/vitest"
import * as OAuthSubject from "@letterhead/core/trust/OAuthSubject"
import { needsTrust } from "@letterhead/core/trust/TrustGate"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"

const EXCHANGE = { tokenUrl: "https://idp.example/token", audience: "tools" }

const KEY = { privateKey: "{file:./key}", algorithm: "ES256" }
const PROVIDER = { issuer: "https://idp.example", clientId: "c" }
const PERSON = { type: "id_jag", idToken: "${T}", identityProvider: PROVIDER } as const

const GRANTS: ReadonlyArray<NonNullable<NonNullable<EntryOptions["oauth"]>["grant"]>> = [
  { type: "client_credentials" },
  { type: "client_credentials", issuer: "https://idp.example" },
  { type: "client_credentials", key: KEY },
  { type: "client_credentials", key: { ...KEY, privateKey: "${KEY}" } },
  { type: "client_credentials", key: { ...KEY, algorithm: "RS256" } },
  { type: "jwt_bearer", assertion: "{file:/a}" },
  { type: "jwt_bearer", assertion: "{file:/b}" },
  PERSON,
  { ...PERSON, idToken: "${U}" },
  { ...PERSON, identityProvider: { ...PROVIDER, issuer: "https://other.example" } },
  { ...PERSON, identityProvider: { ...PROVIDER, tokenEndpoint: "https://idp.example/token" } },
  { ...PERSON, identityProvider: { ...PROVIDER, clientId: "d" } },
  { ...PERSON, identityProvider: { ...PROVIDER, clientSecret: "${S}" } }
]

const needs = (options: EntryOptions) => needsTrust(entry({ scope: "project", ...options }))

it("an entry of a project that says how somebody signs in needs an approval, one that says nothing does not", () => {
  assert.isFalse(needs({}))
  assert.isTrue(needs({ auth: "oauth" }))
  assert.isTrue(needs({ oauth: { scopes: ["read"] } }))
  assert.isFalse(needsTrust(entry({ auth: "oauth" })))
  assert.deepStrictEqual(OAuthSubject.canonical(entry()), [])
  assert.deepStrictEqual(OAuthSubject.lines(entry()), [])
})

it("whatever changes of it is another subject", () => {
  const variants: ReadonlyArray<EntryOptions> = [
    { auth: "oauth" },
    { oauth: {} },
    { oauth: { clientId: "a" } },
    { oauth: { clientId: "b" } },
    { oauth: { clientId: "a", clientSecret: "${S}" } },
    { oauth: { clientMetadataUrl: "https://a.example/a" } },
    { oauth: { scopes: ["a"] } },
    { oauth: { scopes: ["a b"] } },
    { oauth: { callbackPort: 80 } },
    { oauth: { exchange: EXCHANGE } },
    { oauth: { exchange: { tokenUrl: EXCHANGE.tokenUrl } } },
    ...GRANTS.map((grant) => ({ oauth: { clientId: "a", grant } }))
  ]
  const texts = variants.map((options) => JSON.stringify(OAuthSubject.canonical(entry(options))))
  assert.strictEqual(new Set(texts).size, variants.length)
})

it("a secret is masked, and where a caller's token goes is shown", () => {
  const oauth = { clientId: "client", clientSecret: "canary", scopes: ["read"], exchange: EXCHANGE }
  const lines = OAuthSubject.lines(entry({ auth: "oauth", oauth })).map((line) => line.join(": "))
  assert.notInclude(lines.join("\n"), "canary")
  assert.include(lines, "OAuth sends the caller's token to: https://idp.example/token")
  assert.include(lines, "OAuth client: client")
})

it("what a grant reads and presents is shown with its files and variables, and none of its own text", () => {
  const secret = "canary"
  const grants = [
    { type: "client_credentials", key: { ...KEY, privateKey: secret } },
    { type: "jwt_bearer", key: KEY, assertion: `${secret}{file:/var/run/token}` },
    {
      ...PERSON,
      idToken: `${secret}\${T}`,
      identityProvider: { ...PROVIDER, tokenEndpoint: "https://idp.example/token", clientSecret: secret }
    }
  ] as const
  const lines = grants.flatMap((grant) =>
    OAuthSubject.lines(entry({ oauth: { clientId: "a", grant } })).map((line) => line.join(": "))
  )
  assert.notInclude(lines.join("\n"), secret)
  for (const line of [
    "OAuth: gets a token for the client itself, and sends it",
    "OAuth asks: the authorization server that the server names",
    "OAuth private key: {file:./key} (ES256)",
    "OAuth assertion: •••{file:/var/run/token}",
    "OAuth id token: •••${T}",
    "OAuth sends the id token to: https://idp.example/token",
    "OAuth identity provider: https://idp.example",
    "OAuth client at the identity provider: c",
    "OAuth client secret at the identity provider: •••"
  ]) {
    assert.include(lines, line)
  }
})
