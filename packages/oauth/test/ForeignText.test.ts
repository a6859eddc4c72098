import { assert, describe, it } from "@effect/vitest"
import * as ForeignText from "@letterhead/oauth/http/ForeignText"

/** One that JSON, a URL and a form each write otherwise. */
const SECRET = `tok~en a+b/"c\\d`

describe("what somebody else wrote", () => {
  it.each([
    ["as it is", SECRET],
    ["as JSON", JSON.stringify(SECRET)],
    ["as a URL", encodeURIComponent(SECRET)],
    ["as a form", new URLSearchParams({ a: SECRET }).toString()],
    ["as the form in JSON", JSON.stringify({ body: new URLSearchParams({ a: SECRET }).toString() })],
    ["as the form in a URL", encodeURIComponent(new URLSearchParams({ a: SECRET }).toString())],
    ["as JSON in a URL", encodeURIComponent(JSON.stringify(SECRET))]
  ])("is shown without a secret of ours, written %s", (_, text) => {
    const shown = ForeignText.shown(`refused: ${text}.`, ["", SECRET])
    assert.include(shown, ForeignText.MASK)
    assert.notInclude(shown, "en")
  })

  it("is masked before it is cut", () => {
    const shown = ForeignText.shown(`${"x".repeat(ForeignText.TEXT_LIMIT - 5)}${SECRET}`, [SECRET])
    assert.isTrue(shown.endsWith(ForeignText.MASK))
  })

  it("is on one line, and moves no cursor", () => {
    assert.strictEqual(ForeignText.shown(" a\u001b[2J\nb\u202e "), "a\\u{1b}[2J\\u{a}b\\u{202e}")
  })
})
