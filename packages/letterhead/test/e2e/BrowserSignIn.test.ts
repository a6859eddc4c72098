/**
 * A sign-in from end to end: the command, a browser with a page in it, and an authorization server that is not ours.
 *
 * Needs Chromium, as Debian packs it in chromium; without one the test is skipped.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { errorsOf, person } from "../cli/support/Command.ts"
import * as Chromium from "./support/Chromium.ts"
import * as OidcProvider from "./support/OidcProvider.ts"

if (Chromium.unavailable !== undefined) {
  process.stderr.write(`letterhead: nobody signs in through a browser in these tests: ${Chromium.unavailable}\n`)
}

/** Milliseconds between two looks. */
const LOOK = 50

/** A person whose system opens addresses by writing them down. */
const someone = Effect.fnUntraced(function* (url: string) {
  const made = yield* person
  yield* made.writeOwn("letterhead.json", {
    mcpServers: { notes: { url } },
    credentials: { storage: "filesystem" }
  })
  const programs = join(made.home, "bin")
  const address = join(made.home, "address")
  mkdirSync(programs)
  const script = `#!/bin/sh\nprintf '%s' "$1" > '${address}.new' && mv '${address}.new' '${address}'\n`
  writeFileSync(join(programs, "xdg-open"), script)
  chmodSync(join(programs, "xdg-open"), 0o755)
  return {
    ...made,
    browser: { PATH: `${programs}:${made.env["PATH"]}`, DISPLAY: ":99" },
    /** The address that was opened. */
    opened: Effect.try(() => readFileSync(address, "utf8")).pipe(
      Effect.retry({ schedule: Schedule.spaced(LOOK), times: 600 })
    )
  }
})

describe.skipIf(Chromium.unavailable !== undefined)("a person with a browser", () => {
  it.live("signs in and consents; calls go on past the end of a token, until the person signs out", () =>
    Effect.gen(function* () {
      const server = yield* OidcProvider.make
      const of = yield* someone(server.url)
      const call = of.run(["call", "notes", "echo", "message=hello", "--json"])
      const page = yield* Chromium.page

      const login = yield* Effect.forkChild(of.run(["login", "notes"], { env: of.browser }))
      const early = Effect.flatMap(Fiber.join(login), ({ stderr }) => Effect.die(new Error(stderr)))
      const address = yield* Effect.raceFirst(of.opened, early)
      yield* Effect.promise(async () => {
        await page.goto(address)
        await page.fill('input[name="login"]', "ada")
        await page.fill('input[name="password"]', "lovelace")
        await page.click('button:has-text("Sign-in")')
        await page.click('button:has-text("Continue")')
        await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/callback/)
      })
      expect(yield* Effect.promise(() => page.title())).toContain("You can close this page")
      expect(yield* Effect.promise(() => page.textContent("body"))).toContain("“notes” has arrived")
      const signedIn = yield* Fiber.join(login)
      expect(signedIn).toMatchObject({ code: 0 })
      expect(signedIn.stdout).toBe(`Signed in at "notes" by ${server.issuer}; it is renewed by itself.\n`)
      expect(server.grants).toEqual(["authorization_code"])
      expect(yield* call).toMatchObject({ code: 0 })

      yield* Effect.repeat(server.allExpired, { until: (expired) => expired, schedule: Schedule.spaced(LOOK) })
      const renewals = server.grants.length
      expect(yield* call).toMatchObject({ code: 0 })
      expect(server.grants.slice(renewals)).toEqual(["refresh_token"])

      const signedOut = yield* of.run(["logout", "notes", "--revoke"])
      expect(signedOut).toMatchObject({ code: 0, stdout: 'Signed out of "notes", and the tokens are void.\n' })
      expect(server.grants.at(-1)).toBe("revoked")
      const refused = yield* call
      expect(refused.code).toBe(3)
      expect(errorsOf(refused).at(-1)).toMatchObject({ error: { code: "SignInRequired" } })
    })
  )
})
