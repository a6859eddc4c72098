import { describe, expect, it } from "@effect/vitest"
import type { Provenance } from "@letterhead/core/headers/ResolvedHeaders"
import * as Redacted from "effect/Redacted"
import { renderHeaders } from "../../src/cli/HeaderTable.ts"
import { plain } from "../../src/cli/Style.ts"

const file = (line: number, path: string) =>
  `/home/ada/projects/weather/letterhead.json:${line}:9 (mcpServers.weather.${path})`
const SOURCES = ["passthrough", "static", "credential", "oauth", "helper", "passthrough-override", "hook"]

/** Twelve headers of as many sources as there are; every third is not sent. */
const HEADERS = Array.from({ length: 12 }, (_, index): Provenance => {
  const source = SOURCES[index % SOURCES.length] ?? ""
  return {
    name: `X-Weather-Header-${index}`,
    value: index % 3 === 2 ? undefined : Redacted.make("v".repeat(4 + index * 3)),
    source,
    declared: `node ./scripts/headers.js · ${file(10 + index, `headers.X-Weather-Header-${index}`)}`,
    shadowed: index % 4 === 1 ? [{ source: "static", declared: file(5, "headers.X-Shadowed") }] : [],
    ...(index % 3 === 2 ? { notSent: "removed by hook" } : { won: `${source} ranks above static` })
  }
})
const options = { style: plain, cwd: "/home/ada/projects/weather" }

describe("HeaderTable", () => {
  it("shows 12 headers in 100 columns: no line is longer, one block per header, and everything is there", () => {
    const text = renderHeaders(HEADERS, { ...options, width: 100 })
    const lines = text.split("\n")
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100)
    expect(lines.length).toBeLessThanOrEqual(12 * 5)
    expect(lines[0]).toMatch(/^header +value +source +declared, and why$/)
    for (const { name, source, value } of HEADERS) {
      const line = lines.find((each) => each.startsWith(`${name} `)) ?? ""
      expect(line).toContain(` ${source} `)
      expect(line).toMatch(value === undefined ? / not sent / : / ••••• ?/)
    }
    const words = text.replace(/\s+/g, " ")
    for (let line = 10; line < 22; line++) expect(words).toContain(`./letterhead.json:${line}:9`)
    expect(words).toContain("removed by hook")
    expect(words).toContain("helper ranks above static")
    expect(words.match(/shadows static \.\/letterhead\.json:5:9/g)).toHaveLength(3)
    expect(text).not.toContain("vvv")
  })

  it("gives each header one line where there is no terminal, and blocks where there is hardly room", () => {
    const wide = renderHeaders(HEADERS, { ...options, width: undefined }).split("\n")
    expect(wide).toHaveLength(13)
    expect(wide[0]).toMatch(/^header +value +source +declared +shadowed +why$/)
    const narrow = renderHeaders(HEADERS, { ...options, width: 60 })
    expect(narrow.split("\n\n")).toHaveLength(12)
  })
})
