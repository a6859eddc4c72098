/** Which headers an entry may list. */
import { assert, describe, it } from "@effect/vitest"
import * as PassthroughRules from "@letterhead/core/sources/PassthroughRules"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"

type Listed = NonNullable<EntryOptions["passthrough"]>

const defect = (...headers: Listed) => PassthroughRules.defect(entry({ passthrough: headers }).passthrough)

const OWNED = ["Host", "TE", "Content-Length", "Mcp-Session-Id", "Sec-Fetch-Mode", "X-Forwarded-For", "Set-Cookie"]
const CREDENTIALS = ["Authorization", "Cookie", "Proxy-Authorization"]

describe("defect", () => {
  it("a list of ordinary names has none, with other names to send under, copies and two ranks", () => {
    assert.isUndefined(
      defect(
        { name: "x-mcp-api-key" },
        { name: "X_User", as: "X-Tenant", required: true },
        { name: "x-user", as: "X-Copy" },
        { name: "x-other", as: "X-Tenant", override: true }
      )
    )
    assert.isUndefined(defect())
  })

  for (const name of OWNED) {
    it(`${name} is refused as an incoming name and as the one to send under, with _ for - too`, () => {
      for (const spelling of [name, name.toLowerCase(), name.replaceAll("-", "_")]) {
        assert.strictEqual(defect({ name: spelling, as: "X-Harmless" })?._tag, "HeaderForbidden")
        assert.strictEqual(defect({ name: "x-harmless", as: spelling, credential: true })?._tag, "HeaderForbidden")
      }
    })
  }

  for (const name of CREDENTIALS) {
    it(`${name} is refused unless the entry says that it is a credential`, () => {
      for (const spelling of [name, name.toUpperCase(), name.replaceAll("-", "_")]) {
        for (const header of [{ name: spelling }, { name: spelling, as: "X-A" }, { name: "x-a", as: spelling }]) {
          const found = defect(header)
          assert.strictEqual(found?._tag, "HeaderInvalid")
          assert.include(found?.message, '"credential": true')
          assert.include(found?.message, "/letterhead.json:1:1 (mcpServers.example.passthroughHeaders[0])")
          assert.isUndefined(defect({ ...header, credential: true }))
        }
      }
    })
  }

  it("names that are no tokens are refused, and named with their place", () => {
    for (const name of ["", "a b", "a\r\nb", "é", "a:b", "x".repeat(257)]) {
      for (const header of [{ name }, { name: "x-a", as: name }]) {
        const found = defect(header)
        assert.include(["HeaderInvalid", "HeaderTooLarge"], found?._tag)
        assert.match(found?.message ?? "", /^[\x20-\x7e…]*$/)
      }
    }
  })

  it("two headers sent under one name are refused, naming both places", () => {
    const found = defect({ name: "x-a", as: "X-Same" }, { name: "x-b" }, { name: "x-c", as: "x_same" })
    assert.strictEqual(found?._tag, "HeaderInvalid")
    assert.include(found?.message, "passthroughHeaders[2]")
    assert.include(found?.message, "passthroughHeaders[0]")
  })
})
