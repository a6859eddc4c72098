import { assert, describe, it } from "@effect/vitest"
import * as WebAddress from "@letterhead/oauth/signin/WebAddress"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const made = (text: string) => Result.getOrUndefined(WebAddress.make(text))

describe("an address that a browser may be sent to", () => {
  it("is https, or http to this machine", () => {
    assert.strictEqual(made("https://issuer.example/authorize?a=b"), "https://issuer.example/authorize?a=b")
    for (const host of ["127.0.0.1:8080", "localhost", "[::1]:9"]) assert.isDefined(made(`http://${host}/authorize`))
    assert.isUndefined(made("http://issuer.example/authorize"))
    assert.isUndefined(made("http://localhost.example/authorize"))
  })

  it.each([
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "ms-settings:",
    "$(touch /tmp/x)",
    "`touch /tmp/x`",
    "--version",
    "-h",
    "",
    "//issuer.example",
    "https://",
    "https://name:password@issuer.example/",
    "https://name@issuer.example/",
    `https://issuer.example/${"a".repeat(WebAddress.ADDRESS_LIMIT)}`
  ])("F74: %j is refused, and not quoted", (text) => {
    const made = WebAddress.make(text)
    assert.isTrue(Result.isFailure(made))
    if (Result.isFailure(made) && text.length > 3) assert.notInclude(made.failure, text)
  })

  it("F74: what a shell or a terminal would read is written so that neither can", () => {
    const address = made('https://issuer.example/a b"c<d>e\u001b[2J\u202e|`?q="$(x)" y\'z')
    assert.isDefined(address)
    assert.match(address ?? "", /^https:\/\/issuer\.example\/[!#-;=?-~]+$/)
  })

  it("F74: a name in another script is written out", () => {
    assert.strictEqual(made("https://аpple.example/"), "https://xn--pple-43d.example/")
  })

  it.prop(
    "F74: whatever is taken begins with http and has no blank, quote or control character",
    { text: Schema.String },
    ({ text }) => {
      for (const address of [made(text), made(`https://issuer.example/${text}`), made(`https://${text}.example`)]) {
        if (address !== undefined) assert.match(address, /^https?:\/\/[!#-;=?-~]+$/)
      }
    },
    { arbitrary: { runs: 1_000 } }
  )
})
