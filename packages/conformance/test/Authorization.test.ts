/** The scenarios about authorization, by a connection of our own that signs in where it has to. */
import { assert, describe, it } from "@effect/vitest"
import type { Revision } from "../src/Face.ts"
import * as Suite from "./Suite.ts"

/** Of 2025-03-26: the server itself is the authorization server, with metadata or without any. */
const OLDER = ["auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"]
/** The server, or what it says of itself, is not to be trusted: nobody gets as far as a call. */
const REFUSED: ReadonlySet<string> = new Set([
  "auth/resource-mismatch",
  "auth/iss-supported-missing",
  "auth/iss-wrong-issuer",
  "auth/iss-unexpected",
  "auth/iss-normalized",
  "auth/metadata-issuer-mismatch"
])
/** No scope that can be had is enough for this server. */
const NEVER_ENOUGH = "auth/scope-retry-limit"

const REVISIONS: ReadonlyArray<Revision> = ["2025-11-25", "2026-07-28"]

const scenarios = { "2025-11-25": Suite.authorizing("2025-11-25"), "2026-07-28": Suite.authorizing("2026-07-28") }

it("are known by their names in both revisions", () => {
  for (const { extensions, required } of Object.values(scenarios)) {
    assert.includeMembers([...required], ["auth/metadata-default", "auth/scope-step-up", NEVER_ENOUGH])
    assert.includeMembers(
      [...extensions],
      ["auth/client-credentials-jwt", "auth/wif-jwt-bearer", "auth/dpop", "auth/dpop-nonce"]
    )
  }
  assert.includeMembers([...scenarios["2026-07-28"].required], [...REFUSED])
})

describe.each(REVISIONS)("a connection that signs in, %s", { concurrent: true }, (revision) => {
  const { extensions, required } = scenarios[revision]
  const others = [...extensions, ...OLDER]

  it.each([...required, ...others])("passes %s, with its headers on every request", async (scenario) => {
    const outcome = await Suite.run("signing-in", scenario, revision, { force: others.includes(scenario) })
    const { exitCode, failed, passed, stderr, tally } = outcome
    assert.deepStrictEqual(failed, [], stderr)
    assert.isAbove(passed, 0)
    assert.strictEqual(exitCode, 0)
    assert.isAbove(tally.requests, 0)
    assert.strictEqual(tally.withStatic, tally.requests)
    assert.strictEqual(tally.withSession, tally.ofSessions)
    if (REFUSED.has(scenario)) {
      assert.include(stderr, "signing in failed")
    } else if (scenario !== NEVER_ENOUGH) {
      assert.strictEqual(stderr, "")
      assert.isAbove(tally.ofSessions, 0)
    }
  })
})
