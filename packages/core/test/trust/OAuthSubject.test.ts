/** What a person approves of an entry that says how somebody signs in. */
import { assert, it } from "@effect/vitest"
import * as OAuthSubject from "@letterhead/core/trust/OAuthSubject"
import { needsTrust } from "@letterhead/core/trust/TrustGate"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"

const EXCHANGE = { tokenUrl: "https://idp.example/token", audience: "tools" }

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
    { oauth: { exchange: { tokenUrl: EXCHANGE.tokenUrl } } }
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
