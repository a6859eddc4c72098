import { assert, describe, it } from "@effect/vitest"
import { CallbackPage, render } from "@letterhead/oauth/signin/CallbackPage"
import { createHash } from "node:crypto"

const HOSTILE = `<script>alert(1)</script><img src=x onerror='a'>" & ' </title></style>`
const pages = [
  CallbackPage.Arrived({ server: HOSTILE }),
  CallbackPage.Failed({ server: HOSTILE, description: HOSTILE }),
  CallbackPage.Over({ server: HOSTILE }),
  CallbackPage.Refused({ description: HOSTILE })
]

describe("the page at the end of a sign-in", () => {
  it.each(pages)("$_tag escapes what others wrote", (page) => {
    const { html } = render(page)
    const tags = [...html.matchAll(/<\/?([^\s>]*)/g)].map(([, name]) => name)
    assert.deepStrictEqual([...new Set(tags)], ["!doctype", "html", "meta", "title", "style", "h1", "p"])
    assert.include(html, "&lt;script&gt;alert(1)&lt;/script&gt;")
  })

  it.each(pages)("$_tag says that the page can be closed", (page) => {
    assert.match(render(page).html, /you can close this page/i)
  })

  it.each(pages)("$_tag loads nothing, is not stored, and allows its own style only", (page) => {
    const { headers, html } = render(page)
    assert.notMatch(html, /\b(?:src|href|url|import|http)\b\s*[=(:]\s*["'(]/i)
    assert.strictEqual(headers["Cache-Control"], "no-store")
    assert.strictEqual(headers["Referrer-Policy"], "no-referrer")
    const style = /<style>(.*?)<\/style>/s.exec(html)?.[1] ?? ""
    assert.include(
      headers["Content-Security-Policy"],
      `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`
    )
    assert.include(style, "color-scheme:light dark")
  })

  it("has a status that says how it went", () => {
    assert.deepStrictEqual(
      pages.map((page) => render(page).status),
      [200, 400, 410, 400]
    )
    assert.strictEqual(render(CallbackPage.Refused({ description: "" }), 404).status, 404)
    assert.strictEqual(render(CallbackPage.Over({ server: "s" }), 404).status, 410)
  })
})
