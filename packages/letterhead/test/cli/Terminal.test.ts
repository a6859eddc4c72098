/**
 * What a person at a terminal sees. The terminal is a real one, of `script` from util-linux; where there is none of
 * that kind (macOS has another `script`), these tests are skipped.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { person } from "./support/Command.ts"
import { atTerminal, describeAtTerminal } from "./support/Terminal.ts"

const ESCAPE = "\u001b"
const url = "http://127.0.0.1:9/mcp"

describeAtTerminal("at a terminal", () => {
  it.live("there are colours; with NO_COLOR or TERM=dumb, and in a pipe, there is no escape at all", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.writeOwn("letterhead.json", { mcpServers: { api: { url, headers: { "X-Team": "blue" } } } })
      for (const args of [
        ["headers", "api"],
        ["headers", "nope"]
      ]) {
        expect((yield* atTerminal(someone, args)).screen).toContain(`${ESCAPE}[`)
        expect((yield* atTerminal(someone, args, { env: { NO_COLOR: "1" } })).screen).not.toContain(ESCAPE)
        expect((yield* atTerminal(someone, args, { env: { TERM: "dumb" } })).screen).not.toContain(ESCAPE)
        const piped = yield* someone.run(args, { env: { FORCE_COLOR: "1" } })
        expect(piped.stdout + piped.stderr).not.toContain(ESCAPE)
      }
    })
  )

  for (const [answer, code] of [
    ["y\n", 0],
    ["n\n", 5],
    ["\n", 5],
    ["\u0004", 5],
    ["\u0003", 130]
  ] as const) {
    it.live(`trust approve asks, and takes ${JSON.stringify(answer)} for ${code === 0 ? "yes" : "no"}`, () =>
      Effect.gen(function* () {
        const someone = yield* person
        yield* someone.program("headers.sh", `#!/bin/sh\necho '{"A": "b"}'\n`)
        yield* someone.write(".mcp.json", { mcpServers: { api: { type: "http", url, headersHelper: "./headers.sh" } } })
        const ended = yield* atTerminal(someone, ["trust", "approve", "api"], { question: "[y/N]", answer })
        expect(ended.code).toBe(code)
        expect(ended.screen).toContain("helper runs")
        expect((yield* someone.run(["headers", "api"])).code).toBe(code === 0 ? 0 : 5)
      })
    )
  }

  it.live("what takes longer than a second says so on one line, which is gone afterwards", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.program("slow.sh", `#!/bin/sh\nsleep 2.5\necho '{"A": "b"}'\n`)
      yield* someone.writeOwn("letterhead.json", {
        mcpServers: { api: { url, headersHelper: { command: [`${someone.project}/slow.sh`] } } }
      })
      const { code, screen } = yield* atTerminal(someone, ["headers", "api"], { env: { NO_COLOR: "1" } })
      expect(code).toBe(0)
      expect(screen).toContain("… asking the header sources of api (1 s)")
      const last = screen.lastIndexOf("… asking")
      expect(screen.slice(last)).toContain(`\r${ESCAPE}[2Kheader `)
      const piped = yield* someone.run(["headers", "api"])
      expect(piped.stderr).toBe("")
    })
  )
})
