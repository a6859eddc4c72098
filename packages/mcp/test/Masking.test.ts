import { assert, describe, it } from "@effect/vitest"
import * as Masking from "@letterhead/mcp/failure/Masking"
import { resolvedOf } from "./support/Resolver.ts"

const CANARY = "canary-6f1d2e9c"
const bearer = resolvedOf({ authorization: `Bearer ${CANARY}` })

describe("Masking", () => {
  it("F83: masks a value as it was sent, and without its scheme", () => {
    assert.strictEqual(Masking.mask(`got Bearer ${CANARY}!`, [bearer]), "got ***!")
    assert.strictEqual(Masking.mask(`token ${CANARY} is old`, [bearer]), "token *** is old")
  })

  it("F83: masks a value that comes back escaped for JSON or for a URL", () => {
    const quoted = resolvedOf({ "x-key": `can"ary\\6f1d/2e 9c` })
    for (const text of [JSON.stringify(`can"ary\\6f1d/2e 9c`), encodeURIComponent(`can"ary\\6f1d/2e 9c`)]) {
      assert.notInclude(Masking.mask(text, [quoted]), "6f1d")
    }
  })

  it("F83: masks the password of a Basic credential and the parts of a cookie", () => {
    const basic = resolvedOf({ authorization: `Basic ${Buffer.from(`ada:${CANARY}`).toString("base64")}` })
    assert.notInclude(Masking.mask(`no user with password ${CANARY}`, [basic]), CANARY)
    const cookie = resolvedOf({ cookie: `theme=dark; sid=${CANARY}` })
    assert.notInclude(Masking.mask(`session ${CANARY} unknown`, [cookie]), CANARY)
  })

  it("masks a short value where it stands as a word, and not within others", () => {
    const short = resolvedOf({ "x-version": "1" })
    assert.strictEqual(Masking.mask("version 1 of 2015 and v1", [short]), "version *** of 2015 and v1")
  })

  it("F83: masks before it cuts, so that no half of a value is left at the end", () => {
    const text = `${"x".repeat(Masking.DESCRIPTION_LIMIT - 8)}${CANARY} and more`
    const described = Masking.describe(text, [bearer])
    assert.notInclude(described, CANARY.slice(0, 6))
    assert.isAtMost(described.length, Masking.DESCRIPTION_LIMIT + 1)
  })

  it("F83: masks what stands in the query of a URL, decoded and as it is sent, where it may be a credential", () => {
    const query = Masking.credentialsOf(new URL(`https://mcp.example/mcp?read=true&key=${CANARY}%2b+x`))
    assert.isDefined(query)
    assert.strictEqual(Masking.mask(`true: ?read=true&key=${CANARY}%2b+x`, [query]), "true: ?read=true&key=***")
    assert.strictEqual(Masking.mask(`no key ${CANARY}+ x`, [query]), "no key ***")
    assert.isUndefined(Masking.credentialsOf(new URL("https://mcp.example/mcp?read=true")))
  })

  it("F83: masks what stands in the path of a URL where no person would have thought of it", () => {
    const segment = "k3y%2bof0a1b2c3d4e5f"
    const inPath = Masking.credentialsOf(new URL(`https://mcp.example/api/mcp/s/${segment}/mcp`))
    assert.isDefined(inPath)
    assert.strictEqual(
      Masking.mask(`Cannot POST /api/mcp/s/${segment}/mcp`, [inPath]),
      "Cannot POST /api/mcp/s/***/mcp"
    )
    assert.strictEqual(Masking.mask("nobody is k3y+of0a1b2c3d4e5f", [inPath]), "nobody is ***")
    for (const path of ["/v1/mcp", "/2025-11-25/mcp", "/organisation-of-mine/mcp"]) {
      assert.isUndefined(Masking.credentialsOf(new URL(path, "https://mcp.example")))
    }
  })

  it("F83: leaves an address as it is where a value is short, and takes out a credential", () => {
    const sent = [bearer, resolvedOf({ "x-version": "1" })]
    assert.strictEqual(Masking.maskUrl(`http://127.0.0.1/1/${CANARY}`, sent), "http://127.0.0.1/1/***")
  })

  it("shows a server's text on one line without control characters", () => {
    assert.strictEqual(Masking.describe("one\r\ntwo\u001b[31m three", []), "one two [31m three")
  })

  it("F83: leaves no value of 1,000 in a text that repeats them all", () => {
    for (let index = 0; index < 1_000; index += 1) {
      const value = `secret-${index.toString(36)}-${((index * 7919) % 1_000_003).toString(36)}`
      const sent = resolvedOf({ authorization: `Bearer ${value}`, "x-key": `${value}+suffix` })
      const text = JSON.stringify({
        a: value,
        b: `Bearer ${value}`,
        c: `${value}+suffix`,
        d: encodeURIComponent(value)
      })
      assert.notInclude(Masking.mask(text, [sent]), value)
    }
  })
})
